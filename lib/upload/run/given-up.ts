/** How the log says that an upload is no longer used. */
import type { LogRecord } from '../../checkpoint/record.js'

/**
 * `isClosed`: nothing of it is to be aborted. It is gone, or has become an
 * object, which an Abort could break on some servers.
 */
export function givenUp(
  uploadId: string,
  reason: string,
  isClosed: boolean,
): LogRecord[] {
  const voided: LogRecord = { type: 'void', uploadId, reason }
  return isClosed ? [voided, { type: 'closed', uploadId }] : [voided]
}
