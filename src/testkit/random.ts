export { SeededRandom } from '../core/seeded-random.ts'
