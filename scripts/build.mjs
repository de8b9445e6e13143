import { setUpOrExit } from './setup.mjs'

/** `npm run build`: packages, `dist/` and `lib/`, where they aren't ready. */
await setUpOrExit()
