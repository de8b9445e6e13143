import { setUpOrExit } from './setup.mjs'

/** `npm run build`: packages and `dist/`, where they aren't ready. */
await setUpOrExit()
