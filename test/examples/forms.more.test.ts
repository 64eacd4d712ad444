/** Files of HTML forms: whole ones become objects, others leave nothing. */
import { connect } from 'node:net'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { noise } from '../support/dev-store.js'
import {
  exampleRunner,
  part,
  type ExampleRunner,
} from '../support/example-runner.js'
import { listening } from '../support/listening.js'
import { until } from '../support/small-upload.js'

const { formServer } = await import('../../docs/examples/form-busboy.js')
const { formApp } = await import('../../docs/examples/form-fastify.js')

/** More than one part, so that something is stored before the limit is reached. */
const limit = 9 * 1024 * 1024
const whole = noise(limit - 1)

const servers: Record<
  string,
  (run: ExampleRunner, t: Test) => Promise<string>
> = {
  busboy: (run, t) => listening(t, formServer(run.store, limit)),
  async fastify(run, t) {
    const app = await formApp(run.store, limit)
    t.teardown(() => app.close())
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
}

function formOf(files: Record<string, Uint8Array>): FormData {
  const form = new FormData()
  for (const [name, bytes] of Object.entries(files)) {
    form.append('file', new Blob([bytes], { type: 'text/x-pawl' }), name)
  }
  return form
}

for (const [name, serve] of Object.entries(servers)) {
  const send = async (run: ExampleRunner, t: Test, body: FormData) =>
    fetch(`${await serve(run, t)}/files`, { method: 'POST', body })

  await t.test(`${name}: a whole file is an object`, async (t) => {
    const run = await exampleRunner(t)
    const answer = await send(run, t, formOf({ 'ü.dump': whole }))
    t.equal(answer.status, 201)
    const [made] = [await answer.json()].flat() as {
      key: string
      size: number
    }[]
    const { key = '', size } = made ?? {}
    t.equal(size, whole.length)
    t.ok(whole.equals(await run.object(key)))
    const { mark: _mark, ...head } =
      (await run.store.headObject(key, {
        signal: new AbortController().signal,
        timeouts: { connect: 5000, stall: 5000, headers: 5000 },
      })) ?? {}
    t.match(head, { size: whole.length })
    t.equal(
      run.seen('CreateMultipartUpload')[0]?.headers['content-type'],
      'text/x-pawl',
    )
  })

  await t.test(`${name}: a file over the limit is none`, async (t) => {
    const run = await exampleRunner(t)
    const answer = await send(run, t, formOf({ big: noise(limit + part) }))
    t.equal(answer.status, 413)
    t.same(run.seen('CompleteMultipartUpload'), [])
    t.same(run.server.openUploads(), [], 'and nothing is left of it')
  })

  await t.test(
    `${name}: a browser that goes away leaves nothing`,
    async (t) => {
      const run = await exampleRunner(t)
      const { port } = new URL(await serve(run, t))
      const socket = connect(Number(port), '127.0.0.1')
      await once(socket, 'connect')
      socket.write(
        [
          'POST /files HTTP/1.1',
          'host: localhost',
          `content-length: ${2 * limit}`,
          'content-type: multipart/form-data; boundary=x',
          '',
          '--x',
          'content-disposition: form-data; name="file"; filename="a"',
          '',
          '',
        ].join('\r\n'),
      )
      socket.write(whole)
      await until(() => run.server.openUploads().length > 0)
      socket.destroy()
      await until(() => run.server.openUploads().length === 0)
      t.same(run.seen('CompleteMultipartUpload'), [])
    },
  )
}

await t.test('busboy: two files of one form, one of which fails', async (t) => {
  const run = await exampleRunner(t)
  const origin = await listening(t, formServer(run.store, limit))
  const both = formOf({ a: noise(5), b: noise(6) })
  const answer = await fetch(origin, { method: 'POST', body: both })
  t.match(await answer.json(), [{ size: 5 }, { size: 6 }])
  run.server.setFault(({ operation }) =>
    operation === 'PutObject'
      ? { kind: 'status', status: 403, code: 'AccessDenied' }
      : undefined,
  )
  const refused = await fetch(origin, {
    method: 'POST',
    body: formOf({ a: noise(5), b: whole }),
  }).then(
    ({ status }) => status,
    // Answered before all of it was read: a browser may see no answer then.
    () => 500,
  )
  t.equal(refused, 500)
  t.same(run.server.openUploads(), [])
})

await t.test('what is no form is told so', async (t) => {
  const run = await exampleRunner(t)
  const origin = await listening(t, formServer(run.store, limit))
  const answer = await fetch(origin, { method: 'POST', body: 'bytes' })
  t.equal(answer.status, 500)
})
