/** One way of writing or reading the log of an upload. */
import { execFileSync } from 'node:child_process'
import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileCheckpoint, readCheckpoint } from '../../dist/index.js'
import { LogWriter, startOf } from '../modules/checkpoint/writer.js'
import { loadXxh64 } from '../modules/hash/xxh64.js'

const partSize = 8 * 1024 * 1024
const logId = '0123456789abcdef0123456789abcdef'
const digest = 'ab'.repeat(32)

const header = {
  type: 'log',
  pawl: 1,
  logId,
  store: 'oss:https://examplebucket.oss-cn-hangzhou.aliyuncs.com',
  bucket: 'examplebucket',
  key: 'backups/db.dump',
  partSize,
  proof: 'xxh64',
  optionsDigest: digest,
  time: 1735689600000,
  run: 1,
}
const upload = {
  type: 'upload',
  uploadId: '0004B9895DBBB6EC98E36A2B5D1C5B0E',
  partSize,
  optionsDigest: digest,
  time: 1735689600000,
}

function record(number) {
  const hex = (number * 2654435761).toString(16).padStart(16, '0').slice(-16)
  return {
    type: 'part',
    number,
    offset: (number - 1) * partSize,
    size: partSize,
    hash: hex,
    etag: `"${(hex + hex).toUpperCase()}"`,
    crc64: BigInt(`0x${hex}`).toString(),
    check: 'crc64',
    run: 1,
  }
}

export async function createClient({
  directory,
  parts,
  atOnce,
  kind,
  isSecond = false,
}) {
  const path = join(directory, `log-${process.pid}-${kind}`)
  const xxh64 = await loadXxh64()

  /** `count` parts, `atOnce` in flight, each durable before the next begins. */
  async function write(checkpoint, count, lanes) {
    const writer = new LogWriter(checkpoint, startOf(logId), xxh64)
    await writer.append([header, upload])
    let next = 1
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        while (next <= count) await writer.append([record(next++)])
      }),
    )
  }

  const kinds = {
    async pawl() {
      const checkpoint = fileCheckpoint(path)
      await checkpoint.open()
      return {
        run: () => write(checkpoint, parts, atOnce),
        end: async () => {
          await checkpoint.remove()
        },
      }
    },
    async plain() {
      const lines = []
      const collect = {
        name: 'lines',
        append: async (bytes) => void lines.push(bytes),
      }
      await write(collect, parts, 1)
      const handle = await open(path, 'w')
      return {
        async run() {
          for (let i = 0; i < lines.length; i += atOnce) {
            await handle.write(Buffer.concat(lines.slice(i, i + atOnce)))
            await handle.datasync()
          }
        },
        async end() {
          await handle.close()
          await rm(path)
        },
      }
    },
    async read() {
      writeInChild()
      if (isSecond) await readCheckpoint(path)
      return {
        async run() {
          const { parts: found } = await readCheckpoint(path)
          if (found !== parts) throw new Error(`${found} parts were read`)
        },
        end: () => rm(path),
      }
    },
    /** The least: every line hashed and parsed, nothing of it looked at. */
    async 'read-lines'() {
      writeInChild()
      return {
        async run() {
          const text = (await readFile(path)).toString('latin1')
          const records = text
            .split('\n')
            .filter((line) => line !== '')
            .map((line) => {
              xxh64.hexOf(line)
              return JSON.parse(line.slice(line.indexOf('{')))
            })
          if (records.length < parts) throw new Error('lines are missing')
        },
        end: () => rm(path),
      }
    },
    async 'read-bytes'() {
      writeInChild()
      return {
        run: () => readFile(path),
        end: () => rm(path),
      }
    },
  }

  /** The reader's process must not have warmed up by writing. */
  function writeInChild() {
    const script = `import { createClient } from ${JSON.stringify(import.meta.url)}
      const { writeFile } = await createClient(${JSON.stringify({ directory, parts, kind: 'none' })})
      await writeFile(${JSON.stringify(path)})`
    execFileSync(process.execPath, ['--input-type=module', '-e', script])
  }

  if (kind === 'none') {
    return {
      async writeFile(to) {
        const checkpoint = fileCheckpoint(to)
        await checkpoint.open()
        await write(checkpoint, parts, parts)
        await checkpoint.close()
      },
    }
  }
  return kinds[kind]()
}
