/** The variable that points tests at a server. */
export function urlVariable(name) {
  return `MERGANSER_TEST_${name.toUpperCase()}_URL`
}

/** The variable that says why there is none. */
export function missingVariable(name) {
  return `MERGANSER_TEST_${name.toUpperCase()}_MISSING`
}

/** A text as one word of a POSIX shell, whatever it holds. */
export function quoted(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`
}

/** `NAME='value'`, for `eval`. */
export function assignment(name, url) {
  return `${urlVariable(name)}=${quoted(url)}`
}

/** The names in MERGANSER_REQUIRE: servers without which a run of the tests fails. Throws at one that is unknown. */
export function requiredServers(known, text = process.env.MERGANSER_REQUIRE ?? '') {
  const names = text.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]))
  for (const name of names) {
    if (!known.includes(name))
      throw new Error(`MERGANSER_REQUIRE: there is no server ${name}; there are ${known.join(', ')}`)
  }
  return names
}
