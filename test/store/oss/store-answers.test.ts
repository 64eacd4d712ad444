import t from 'tap'
import { answer, scriptedServer } from '../../support/scripted-server.js'
import { bodyFrom, storeCall } from '../../support/store-call.js'
import { testOssStore } from '../../support/stores.js'

const etag = '"25F9E794323B453885F5181F1B624D0B"'
const bytes = Buffer.from('123456789')
const xml = (root: string, inner: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://doc.oss-cn-hangzhou.aliyuncs.com">${inner}</${root}>`

const unusable: [name: string, headers: Record<string, string>][] = [
  ['no ETag', {}],
  ['a long ETag', { etag: 'x'.repeat(129) }],
  ['a CRC that is no number', { etag, 'x-oss-hash-crc64ecma': '0x1' }],
  [
    'a CRC over 64 bits',
    { etag, 'x-oss-hash-crc64ecma': '18446744073709551616' },
  ],
]

for (const [name, headers] of unusable) {
  await t.test(`a receipt with ${name} is not believed`, async (t) => {
    const server = await scriptedServer(t, { steps: [answer(200, headers)] })
    const store = testOssStore(t, server)
    const part = {
      key: 'k',
      uploadId: 'U',
      partNumber: 1,
      size: 9,
      body: bodyFrom(bytes),
    }
    await t.rejects(store.uploadPart(part, storeCall()), {
      code: 'PAWL_RESPONSE',
      partNumber: 1,
      message: /^UploadPart at .* no usable/,
    })
  })
}

for (const id of ['', 'x'.repeat(1025), 'a&#10;b', 'a&#0;b']) {
  await t.test(`the upload ID ${id.slice(0, 8)} is not taken`, async (t) => {
    const body = xml(
      'InitiateMultipartUploadResult',
      `<UploadId>${id}</UploadId>`,
    )
    const server = await scriptedServer(t, { steps: [answer(200, {}, body)] })
    const store = testOssStore(t, server)
    await t.rejects(store.createUpload({ key: 'k', object: {} }, storeCall()), {
      code: 'PAWL_RESPONSE',
    })
  })
}
