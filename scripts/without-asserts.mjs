import { Node, NodeKind } from 'assemblyscript'
import { Transform } from 'assemblyscript/transform'

/**
 * A transform of AssemblyScript's that takes asserts out of the release builds. The compiler's `--noAssert` still
 * evaluates what stands in them, and most of that isn't optimised away: a read may trap, a shared memory may grow.
 */
export default class WithoutAsserts extends Transform {
  afterParse(parser) {
    for (const source of parser.sources) if (!source.isLibrary) source.statements = source.statements.map(stripped)
  }
}

/** The statement with everything in it, but for asserts. */
function stripped(statement) {
  if (isAssert(statement)) return Node.createEmptyStatement(statement.range)
  for (const part of ['body', 'ifTrue', 'ifFalse']) if (statement[part]) statement[part] = stripped(statement[part])
  if (statement.kind === NodeKind.Block) statement.statements = statement.statements.map(stripped)
  if (statement.kind === NodeKind.Switch) {
    for (const branch of statement.cases) branch.statements = branch.statements.map(stripped)
  }
  return statement
}

function isAssert({ kind, expression }) {
  return kind === NodeKind.Expression && expression.kind === NodeKind.Call && expression.expression.text === 'assert'
}
