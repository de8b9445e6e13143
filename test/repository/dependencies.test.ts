import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

interface Package {
  readonly scripts?: Readonly<Record<string, string>>
  readonly allowScripts?: Readonly<Record<string, boolean>>
  readonly packages?: Readonly<Record<string, { readonly hasInstallScript?: boolean; readonly integrity?: string }>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

const read = (path: string): Package => JSON.parse(readFileSync(`${ROOT}${path}`, 'utf8')) as Package
const manifest = read('package.json')
const locked = Object.entries(read('package-lock.json').packages ?? {}).filter(([path]) => path !== '')
const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length)

test('no dependency has an install script but those that are listed, and none of them may run', () => {
  const having = locked.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => nameOf(path))
  expect([...new Set(having)].sort()).toEqual(Object.keys(manifest.allowScripts ?? {}).sort())
  expect(Object.values(manifest.allowScripts ?? {}).some(Boolean)).toBe(false)
  expect(readFileSync(`${ROOT}.npmrc`, 'utf8')).toMatch(/^ignore-scripts=true$/m)
})

test('nor has any that is installed, whatever the lock file says', () => {
  const names = readdirSync(`${ROOT}node_modules`)
    .flatMap((name) =>
      name.startsWith('@') ? readdirSync(`${ROOT}node_modules/${name}`).map((one) => `${name}/${one}`) : name,
    )
    .filter((name) => existsSync(`${ROOT}node_modules/${name}/package.json`))
  expect(names.length).toBeGreaterThan(50)
  const found = names.filter((name) => {
    const scripts = read(`node_modules/${name}/package.json`).scripts ?? {}
    const compiles = existsSync(`${ROOT}node_modules/${name}/binding.gyp`)
    return compiles || ['preinstall', 'install', 'postinstall'].some((script) => Object.hasOwn(scripts, script))
  })
  const listed = Object.keys(manifest.allowScripts ?? {})
  expect(found.filter((name) => !listed.includes(name))).toEqual([])
})

test('every dependency is of one exact version, with a checksum', () => {
  for (const version of Object.values({ ...manifest.dependencies, ...manifest.devDependencies })) {
    expect(version).toMatch(/^\d+\.\d+\.\d+(?:-[\w.-]+)?$/)
  }
  expect(locked.filter(([, { integrity }]) => integrity === undefined).map(([path]) => path)).toEqual([])
})
