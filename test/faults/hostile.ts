/** Texts that some layer between a program and a database has taken for something else. */
const KINDS: readonly string[] = [
  // nothing, and what is taken for it
  ...['', ' ', '  ', 'NULL', 'null', 'undefined', '\\N', '\\\\N', 'N', 'None', 'NaN', 'nil', '""', "''", '0', '-0'],
  // blanks at the ends and within
  ...[
    ' leading',
    'trailing ',
    '\ttab\t',
    ' \u00a0\u2003 ',
    'a  b',
    '\n',
    '\r',
    '\r\n',
    'a\r\nb\n',
    'a\u2028b\u2029c\u0085d',
  ],
  // quotes and what escapes them
  ...[
    "'",
    '"',
    '`',
    "''",
    '\\',
    '\\\\',
    "\\'",
    "it's",
    "'; --",
    `"'\`\\`,
    '\\\';\\"',
    '$$',
    '$a$x$a$',
    "E'\\n'",
    "U&'\\0041'",
  ],
  // statements of each
  ..."'); DROP TABLE odd; --|' OR '1'='1|1; DELETE FROM odd|/* x */|-- x|x' UNION SELECT 1--|${1+1}|#{x}|{{x}}|%s|%27|?|:v|$1".split(
    '|',
  ),
  ..."`); TRUNCATE odd; --|\\'); DROP TABLE odd; --|${hiveconf:a}|${system:user.name}|${hivevar:x}|@@x|!sh ls".split(
    '|',
  ),
  // operators, paths and names of objects
  ...[
    '$gt',
    '$where',
    '$set',
    '$',
    '$$ROOT',
    '$a.b',
    'a.b',
    '.',
    '..',
    'a.$.b',
    '{"$gt":""}',
    '{$ne: null}',
    '[1]',
    '{}',
  ],
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '../../etc/passwd', '/dev/null', 'C:\\x', 'a/b', 'CON'],
  // separators of files and of our own language
  ...[
    ',',
    '|',
    '\u0001',
    '\u0002',
    '\u0003',
    '\u001f',
    ';',
    '#',
    '# x',
    '(',
    ')',
    '((',
    '{v: x}',
    'a,b',
    '= x',
    '\\.',
    '\\',
    'a\\',
  ],
  // controls, and the character that ends texts of C
  ...['\u0007\b\f\v', '\u001b[31mred', '\u007f', '\u0080', 'a\0b', '\0', 'x\u001a'],
  // Unicode: marks of order and direction, one letter in two spellings, beyond the first plane
  ...['\ufeffbom', 'a\ufeff', '\u202ertl\u202c', '\u200b', '\u200fx', 'é', 'e\u0301', 'ß', 'İ', 'ı', 'ﬁ', 'Å', 'Å'],
  ...[
    '\u{1f600}',
    '\u{10ffff}',
    '\ufffd',
    '\uffff',
    '\ufdd0',
    '\ud7ff\ue000',
    '漢字',
    'क्षि',
    '👩‍👩‍👧',
    '\u{1f1e9}\u{1f1ea}',
  ],
  // letters that collations and case take for equal, and numbers that look like others
  ...[
    'a',
    'A',
    'ä',
    'Ä',
    'a ',
    'a\t',
    '1',
    '01',
    '1.0',
    '1e0',
    '+1',
    '0x1',
    '１',
    '1_000',
    'true',
    'TRUE',
    't',
    '2026-11-22',
  ],
]

/** The kinds, some very long, and so many different texts put together of them, always the same. */
export function hostileTexts(count: number): string[] {
  const texts = new Set(KINDS)
  for (const text of ['x', "'", '\\', 'é', '\u{1f600}', '"'])
    texts.add(text.repeat(Math.floor(900 / Buffer.byteLength(text))))
  let state = 42
  const draw = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  while (texts.size < count) {
    const parts = Array.from({ length: 2 + draw(3) }, () => KINDS[draw(KINDS.length)]!)
    texts.add(parts.join(''))
  }
  return [...texts].slice(0, count)
}
