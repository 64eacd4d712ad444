import { uploadFile, type UploadFileOptions, type UploadResult } from 'pawl'

export interface FileToUpload {
  path: string
  key: string
}

export type Outcome = FileToUpload &
  ({ result: UploadResult } | { error: unknown })

/** Uploads all, `atOnce` at a time; one that fails does not end the others. */
export async function uploadFiles(
  files: readonly FileToUpload[],
  atOnce: number,
  options: Omit<UploadFileOptions, 'key' | 'checkpoint'>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  // One iterator for all workers: each takes the next file when it is free.
  const entries = files.entries()
  const work = async (): Promise<void> => {
    for (const [index, file] of entries) {
      outcomes[index] = await uploadFile(file.path, {
        ...options,
        key: file.key,
      }).then(
        (result) => ({ ...file, result }),
        (error: unknown) => ({ ...file, error }),
      )
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return outcomes
}
