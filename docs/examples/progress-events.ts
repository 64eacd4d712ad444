import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Progress, ResumableUploadStream } from 'pawl'

/** Answers requests with the progress of an upload, as server-sent events. */
export function progressEvents(
  upload: ResumableUploadStream,
): (request: IncomingMessage, response: ServerResponse) => void {
  let latest: Progress | undefined
  upload.on('progress', (progress) => (latest = progress))
  const clients = new Set<ServerResponse>()
  upload.on('progress', (progress) => {
    for (const client of clients) {
      // Who reads slowly gets fewer events, not all of them later.
      if (!client.writableNeedDrain) client.write(event('progress', progress))
    }
  })
  const ended = upload.result.then(
    ({ key, size, etag }) => event('done', { key, size, etag }),
    // What went wrong is for the log of the server, not for its visitors.
    () => event('failed', {}),
  )
  return (_request, response) => {
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
    })
    // A client that goes away is forgotten; the upload is not its business.
    response.on('error', () => clients.delete(response))
    response.on('close', () => clients.delete(response))
    response.write(latest === undefined ? ':\n\n' : event('progress', latest))
    clients.add(response)
    void ended.then((last) => response.end(last))
  }
}

function event(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}
