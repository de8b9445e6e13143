import ts from 'typescript'

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
  rewriteRelativeImportExtensions: true,
}

/** A source text as JavaScript, for processes and threads of a test's own: Node 20 loads no TypeScript. */
export function transpiled(source: string, fileName?: string): string {
  const options = { compilerOptions: OPTIONS, ...(fileName === undefined ? {} : { fileName }) }
  return ts.transpileModule(source, options).outputText
}
