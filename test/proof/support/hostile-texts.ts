import { SeededRandom } from '../../../src/core/seeded-random.ts'
import { hostileTexts } from '../../faults/hostile.ts'

const CODE = [
  ...["'; DROP TABLE canary; --", '"; DROP TABLE canary; --', '`; DROP TABLE canary; --', "\\'; DROP TABLE canary; --"],
  ...["'); DELETE FROM canary; --", "' || (SELECT 1/0) || '", "'||pg_sleep(9)||'", '$$; DROP TABLE canary; $$'],
  ...['*/ DROP TABLE canary; /*', '\n; DROP TABLE canary\n', '\n\\.\nDROP TABLE canary;\n', '/*!50000 x */', '--\n'],
  ...["COPY canary FROM PROGRAM 'true'", "reflect('java.lang.System', 'exit', 1)", 'ADD JAR x', '!sh true', 'SET a=b'],
  ...['${hivevar:x}', '${hiveconf:hive.execution.engine}', '${system:java.home}', '${env:HOME}', '$' + '{', '}'],
  ...['{"$where":"db.canary.drop()"}', '{"$set":{"a":1}}', '{"$gt":""}', '$function', '$$NOW', '$$ROOT', '$canary'],
  ...['_id', 'stamps', 'stamps.v', 'deleted_stamp', 'v_stamp', 'a.$[].b', 'this.constructor', '$$REMOVE', '$literal'],
  ...['"a","b"', '"""', 'a""b', "=cmd|' /C calc'!A0", '+1+1', '@SUM(1)', '"\n"', ',,,', '\\u0027', '&#39;', '\\x27'],
  ...['\\047', '%00', '\\0', '\\Z', '0x27', 'CHAR(39)', "U&'\\0027'", '\\b\\f', '{"a":', '\\"', "x'27'", '::text'],
]
/** The same letters, composed and not: different keys. */
const LETTERS = ['é', 'ñ', 'Å', 'ṩ', '한', 'ﬁ', 'ǆ', '½', 'Ω', 'が', 'ö̲'].flatMap((text) => [
  ...[text.normalize('NFC'), text.normalize('NFD'), text.normalize('NFKC'), text.normalize('NFKD')],
])
const BLANKS = [
  '\u3000',
  '\u2003',
  '\u00a0',
  '\u200b\u200b',
  '\u2060',
  '\v',
  '\f',
  ' \t ',
  '\u180e',
  '\u0085',
  '\u001c',
]

/** Different texts that some layer may take for something else: known ones, and as many again as are wanted, by the seed. */
export function hostileTextsOf(seed: number, count: number): string[] {
  const random = new SeededRandom(seed)
  const known = [...new Set([...CODE, ...LETTERS, ...BLANKS, ...hostileTexts(200)])]
  const texts = new Set(known)
  while (texts.size < count) {
    const parts = Array.from({ length: 1 + random.below(4) }, () => {
      return random.below(3) === 0 ? randomText(random) : random.pick(known)
    })
    texts.add(parts.join(''))
  }
  return random.shuffled([...texts]).slice(0, count)
}

/** Code points of all planes; no halves of surrogates, which are no text. */
function randomText(random: SeededRandom): string {
  const most = random.pick([0x20, 0x80, 0x100, 0x3000, 0x10000, 0x110000])
  let text = ''
  for (let i = random.below(12); i >= 0; i--) {
    const point = random.below(most)
    if (point < 0xd800 || point > 0xdfff) text += String.fromCodePoint(point)
  }
  return text
}

/** Names of tables and columns that a quotation, a path or a statement may break at. */
export const HOSTILE_NAMES = [
  ...[
    'a"b',
    "a'b",
    'a`b',
    'a\\b',
    'x"; DROP TABLE canary; --',
    "x'; DROP TABLE canary; --",
    'x`; DROP TABLE canary; --',
  ],
  ...['a b', 'select', '$where', 'a.b', '__proto__', 'constructor', 'a%sb', '${hivevar:x}', '/* c */', '-- c', 'a;b'],
  ...[
    'grün',
    'gru\u0308n',
    '漢字',
    'x\u202ey',
    '😀',
    'a,b',
    'a(b)',
    '*',
    '?',
    '..',
    '/etc/passwd',
    'x'.repeat(64),
    'é'.repeat(200),
  ],
] as const
