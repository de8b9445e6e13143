import { randomBytes } from 'node:crypto'
import type { Random } from './environment.ts'

export class NodeRandom implements Random {
  hex(digits: number): string {
    return randomBytes(Math.ceil(digits / 2))
      .toString('hex')
      .slice(0, digits)
  }

  fraction(): number {
    return Math.random()
  }
}
