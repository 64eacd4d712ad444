import { pipeline } from 'node:stream/promises'
import express, { type Express } from 'express'
import {
  createResumableUploadStream,
  UploadError,
  type ObjectStore,
  type Progress,
  type ResumableUploadStream,
} from 'pawl'

interface Running {
  upload: ResumableUploadStream
  latest: Progress | undefined
}

/** A page with a bar and a cancel button, and what is behind them. */
export function uploadApp(store: ObjectStore): Express {
  const app = express()
  const uploads = new Map<string, Running>()

  app.get('/', (_request, response) => void response.type('html').send(page))

  app.put('/uploads/:id', async (request, response) => {
    const { id } = request.params
    const size = Number(request.headers['content-length'])
    // A file that is cut short is no file: `size` sees to that.
    const upload = createResumableUploadStream({
      store,
      key: `uploads/${id}`,
      checkpoint: false,
      size,
    })
    const running: Running = { upload, latest: undefined }
    upload.on('progress', (progress) => (running.latest = progress))
    uploads.set(id, running)
    // Also when all has been read, and not all of it is stored.
    const onClose = (): void => void upload.destroy()
    response.once('close', onClose)
    try {
      await pipeline(request, upload)
      response.off('close', onClose)
      response.status(201).json({ size: (await upload.result).size })
    } catch (error) {
      // Cancelled: nothing is left in the bucket, and nobody waits for an answer.
      if (response.destroyed) return
      response.off('close', onClose)
      const code = error instanceof UploadError ? error.code : 'UNKNOWN'
      response.status(502).json({ code })
    } finally {
      uploads.delete(id)
    }
  })

  // How much is in the bucket, which is less than the browser has sent.
  app.get('/uploads/:id/progress', (request, response) => {
    const running = uploads.get(request.params.id)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    // Not begun yet, or over: the browser asks again, until it has the answer.
    if (running === undefined) return void response.end('retry: 200\n\n')
    const { upload, latest } = running
    const tell = (progress: Progress | undefined): void => {
      if (progress !== undefined && !response.writableNeedDrain) {
        response.write(`data: ${JSON.stringify(progress)}\n\n`)
      }
    }
    tell(latest)
    upload.on('progress', tell)
    response.on('close', () => upload.off('progress', tell))
    upload.once('close', () => response.end())
  })
  return app
}

const page = `<!doctype html>
<meta charset="utf-8">
<title>Upload</title>
<input type="file" id="file">
<progress id="bar" max="1" value="0"></progress>
<button id="cancel" disabled>Cancel</button>
<output id="said"></output>
<script type="module">
  const [file, bar, cancel, said] = ['file', 'bar', 'cancel', 'said'].map(
    (id) => document.getElementById(id),
  )
  file.onchange = () => {
    const path = '/uploads/' + crypto.randomUUID()
    const request = new XMLHttpRequest()
    const events = new EventSource(path + '/progress')
    events.onmessage = ({ data }) => {
      const { bytesDone, bytesTotal } = JSON.parse(data)
      bar.value = bytesDone / bytesTotal
    }
    request.open('PUT', path)
    request.onload = () => {
      const isDone = request.status === 201
      if (isDone) bar.value = 1
      said.textContent = isDone ? 'Done' : 'Failed: ' + request.responseText
    }
    request.onerror = () => (said.textContent = 'The connection broke')
    request.onabort = () => (said.textContent = 'Cancelled')
    request.onloadend = () => {
      events.close()
      cancel.disabled = true
    }
    cancel.onclick = () => request.abort()
    cancel.disabled = false
    said.textContent = ''
    request.send(file.files[0])
  }
</script>
`
