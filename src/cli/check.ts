import type { Command } from 'commander'
import { addConfigOptions, examples, type ConfigOptions } from './options.ts'
import { loadConfiguration } from './session.ts'
import type { Shell } from './shell.ts'
import { inputsOf } from './inputs.ts'
import { several } from './table.ts'

export function checkCommand(program: Command, shell: Shell): void {
  const command = program
    .command('check')
    .description('check scripts without running them, and show all errors')
    .argument('[files...]', 'scripts; - is standard input')
    .addHelpText(
      'after',
      examples([
        ['merganser check script.in', 'show all errors of a script'],
        ['generate | merganser check', 'check standard input'],
      ]),
    )
    .action((files: string[], options: ConfigOptions) => check(shell, files, options))
  addConfigOptions(command)
}

async function check(shell: Shell, files: readonly string[], options: ConfigOptions): Promise<void> {
  const inputs = await inputsOf(files)
  const config = await loadConfiguration(shell, options)
  const [{ ScriptChecker }, { Catalog }] = await Promise.all([
    import('../script/check.ts'),
    import('../script/catalog.ts'),
  ])
  const names = config.replicas.map(({ name }) => name)
  const catalog = new Catalog(names, config.tables, config.aliases)
  for (const { file, chunks } of inputs) {
    const checker = new ScriptChecker(catalog, { file, limits: config.limits })
    for await (const chunk of chunks(shell.interrupted)) checker.push(chunk)
    const { lines, statements, problems, found } = checker.end()
    for (const problem of problems) shell.problem(problem)
    const more = found > problems.length ? `; the first ${String(problems.length)} are shown` : ''
    const errors = found === 0 ? 'no errors' : `${several(found, 'error')}${more}`
    shell.say(`${file}: ${several(lines, 'line')}, ${several(statements, 'statement')}, ${errors}`)
  }
}
