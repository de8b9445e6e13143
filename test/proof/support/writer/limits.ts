/** Milliseconds that a proof may take, in `npm test` and for as many times the runs as are asked for. */
export const LIMIT = 900_000 * Math.max(1, Number(process.env['MERGANSER_PROOF_TIMES'] ?? 1))
