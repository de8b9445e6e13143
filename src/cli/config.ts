import type { Command } from 'commander'
import { addSessionOptions, examples, type SessionOptions } from './options.ts'
import { loadConfiguration } from './session.ts'
import type { Shell } from './shell.ts'

export function configCommand(program: Command, shell: Shell): void {
  const command = program.command('config').description('print the configuration in effect, secrets hidden')
  addSessionOptions(command)
    .option('--schema', 'print the JSON schema of merganser.yaml instead')
    .addHelpText(
      'after',
      examples([
        ['merganser config > merganser.yaml', 'begin a configuration file with all defaults'],
        ['merganser config --schema', 'for editors that check YAML'],
      ]),
    )
    .action((options: SessionOptions & { readonly schema?: boolean }) => config(shell, options))
}

async function config(shell: Shell, options: SessionOptions & { readonly schema?: boolean }): Promise<void> {
  if (options.schema === true) {
    const { configJsonSchema } = await import('../config/schema.ts')
    await shell.print(`${JSON.stringify(configJsonSchema(), null, 2)}\n`)
    return
  }
  const effective = await loadConfiguration(shell, options)
  const { printConfig } = await import('../config/print.ts')
  shell.say(effective.file === undefined ? 'no configuration file: these are the defaults' : `from ${effective.file}`)
  await shell.print(printConfig(effective))
}
