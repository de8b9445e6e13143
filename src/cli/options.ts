import { InvalidArgumentError, type Command } from 'commander'

/** Options of every command that reads the configuration. */
export interface ConfigOptions {
  readonly config?: string
  readonly state?: string
}

/** Options of every command that opens a session. */
export interface SessionOptions extends ConfigOptions {
  readonly workers?: number
}

export function addConfigOptions(command: Command): Command {
  return command
    .option('--config <file>', 'configuration file (merganser.yaml here, if there is one)', nonEmpty)
    .option('--state <dir>', 'state directory (.merganser, or what the configuration says)', nonEmpty)
}

export function addSessionOptions(command: Command): Command {
  return addConfigOptions(command).option('--workers <n>', 'most worker threads, 1 to 1000', countArgument(1, 1000))
}

/** For an option that takes a name or path. */
export function nonEmpty(text: string): string {
  if (text === '' || text.includes('\0')) throw new InvalidArgumentError('It is empty or holds a NUL.')
  return text
}

/** For an option that takes a whole number. */
export function countArgument(least: number, most: number): (text: string) => number {
  return (text) => {
    const count = Number(text)
    if (/^\d{1,15}$/.test(text) && count >= least && count <= most) return count
    throw new InvalidArgumentError(`It must be a whole number from ${String(least)} to ${String(most)}.`)
  }
}

/** Examples below a command's help, each a command line and what it does. */
export function examples(lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([line]) => line.length))
  return `\nExamples:\n${lines.map(([line, what]) => `  ${line.padEnd(width)}  ${what}`).join('\n')}`
}
