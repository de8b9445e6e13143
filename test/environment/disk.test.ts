import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { after } from '../../src/environment/buffers.ts'
import { NodeDisk } from '../../src/environment/node-disk.ts'

const disk = new NodeDisk()
let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'merganser-disk-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('what is appended is read back, truncated and synced, in order, in any number of buffers', async () => {
  const path = join(directory, 'file')
  const file = await disk.open(path, 'create')
  const buffers = Array.from({ length: 3_000 }, (_, i) => Buffer.from(`${String(i)},`))
  await file.append([...buffers, Buffer.alloc(0)])
  await file.append([])
  await file.datasync()
  const text = Buffer.concat(buffers).toString()
  expect(await file.size()).toBe(text.length)
  expect(Buffer.from(await file.read(10, 100)).toString()).toBe(text.slice(10, 110))
  expect(await file.read(text.length - 5, 100)).toHaveLength(5)
  await file.truncate(7)
  await file.append([Buffer.from('end')])
  await file.close()
  expect(await readFile(path, 'utf8')).toBe(`${text.slice(0, 7)}end`)
  await expect(disk.open(path, 'create')).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(disk.open(join(directory, 'none'), 'read')).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a short write goes on where it stopped', () => {
  const buffers = ['ab', 'c', 'defg'].map((text) => Buffer.from(text))
  const rests = Array.from({ length: 8 }, (_, written) => Buffer.concat(after(buffers, written)).toString())
  expect(rests).toEqual(['abcdefg', 'bcdefg', 'cdefg', 'defg', 'efg', 'fg', 'g', ''])
})

test('files are 0600 and directories 0700', async () => {
  const deep = join(directory, 'a', 'b')
  await disk.makeDirectory(deep)
  await disk.makeDirectory(deep)
  await disk.replaceFile(join(deep, 'replaced'), Buffer.from('x'))
  await (await disk.open(join(deep, 'appended'), 'append')).close()
  const mode = async (path: string) => (await stat(path)).mode & 0o777
  expect(await Promise.all([deep, join(directory, 'a')].map(mode))).toEqual([0o700, 0o700])
  expect(await Promise.all(['replaced', 'appended'].map((name) => mode(join(deep, name))))).toEqual([0o600, 0o600])
})

test('replaceFile leaves the new contents and no temporary file; where it fails, the old', async () => {
  const path = join(directory, 'file')
  for (const text of ['one', 'two', '']) {
    await disk.replaceFile(path, Buffer.from(text))
    expect(Buffer.from((await disk.readFile(path))!).toString()).toBe(text)
  }
  await mkdir(join(directory, 'busy', 'full'), { recursive: true })
  await expect(disk.replaceFile(join(directory, 'busy'), Buffer.from('x'))).rejects.toThrow()
  expect((await readdir(directory)).sort()).toEqual(['busy', 'file'])
})

test('symbolic links, directories and pipes are refused, without waiting', async () => {
  await writeFile(join(directory, 'real'), 'kept')
  await symlink(join(directory, 'real'), join(directory, 'link'))
  await promisify(execFile)('mkfifo', [join(directory, 'pipe')])
  for (const mode of ['read', 'append'] as const) {
    await expect(disk.open(join(directory, 'link'), mode)).rejects.toMatchObject({ code: 'ELOOP' })
    await expect(disk.open(directory, mode)).rejects.toMatchObject({ code: 'EISDIR' })
    await expect(disk.open(join(directory, 'pipe'), mode)).rejects.toMatchObject({ code: 'ENOTSUP' })
  }
  await expect(disk.readFile(join(directory, 'link'))).rejects.toMatchObject({ code: 'ELOOP' })
  await disk.replaceFile(join(directory, 'link'), Buffer.from('new'))
  expect(await readFile(join(directory, 'real'), 'utf8')).toBe('kept')
})

test('what is not there reads as nothing, and is removed already', async () => {
  expect(await disk.readFile(join(directory, 'none'))).toBeUndefined()
  expect(await disk.list(join(directory, 'none'))).toEqual([])
  await disk.remove(join(directory, 'none'))
  await writeFile(join(directory, 'b'), '')
  await writeFile(join(directory, 'a'), '')
  await disk.rename(join(directory, 'b'), join(directory, 'c'))
  await disk.syncDirectory(directory)
  expect(await disk.list(directory)).toEqual(['a', 'c'])
  await disk.remove(join(directory, 'a'))
  expect(await disk.list(directory)).toEqual(['c'])
  await chmod(directory, 0o700)
})
