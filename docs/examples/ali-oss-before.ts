import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type OSS from 'ali-oss'

/** A file, resumed by a checkpoint that the caller keeps. */
export async function uploadWithAliOss(
  client: OSS,
  path: string,
  { key, checkpoint: log }: { key: string; checkpoint: string },
): Promise<void> {
  const saved: unknown = existsSync(log)
    ? JSON.parse(readFileSync(log, 'utf8'))
    : undefined
  await client.multipartUpload(key, path, {
    partSize: 1024 * 1024,
    parallel: 4,
    checkpoint: saved,
    progress: (share: number, checkpoint: object) => {
      console.log(`${Math.round(share * 100)} %`)
      writeFileSync(log, JSON.stringify(checkpoint))
    },
  })
  rmSync(log, { force: true })
}
