import { spawn } from 'node:child_process'

/** Runs Node to its end; gives its standard output. Rejects where it fails or takes too long, with what it said. */
export function runNode(args: readonly string[], { cwd, seconds }: { cwd: string; seconds: number }): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], timeout: seconds * 1000 })
    const [said, failed] = [child.stdout, child.stderr].map((stream) => {
      const chunks: string[] = []
      stream.setEncoding('utf8').on('data', (text: string) => chunks.push(text))
      return chunks
    })
    child.once('error', reject)
    child.once('close', (status, signal) => {
      if (status === 0) resolve(said!.join(''))
      else reject(new Error(`node ended with ${String(status ?? signal)}: ${failed!.join('').slice(0, 4000)}`))
    })
  })
}
