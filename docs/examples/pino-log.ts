import type { Logger } from 'pino'
import type { ResumableUploadStream } from 'pawl'

/** One line for what matters of an upload, with its key in each of them. */
export function logUpload(
  upload: ResumableUploadStream,
  logger: Logger,
  key: string,
): void {
  const log = logger.child({ key })
  upload
    .on('initiated', ({ uploadId }) => log.info({ uploadId }, 'upload begun'))
    .on('resumed', (event) => log.info(event, 'upload gone on with'))
    .on('restarted', ({ reason }) => log.warn({ reason }, 'upload begun anew'))
    .on('retry', ({ error, ...event }) =>
      // pino prints the fields of `err`: its code, status and request ID.
      log.warn({ ...event, err: error }, 'request tried again'),
    )
    .on('part', (event) => log.debug(event, 'part stored'))
  upload.result.then(
    (result) => log.info({ result }, 'upload complete'),
    (err: unknown) => log.error({ err }, 'upload ended'),
  )
}
