import t from 'tap'
import { ossStore } from '../../../lib/store/oss/store.js'
import {
  answer,
  bodyOf,
  scriptedServer,
} from '../../support/scripted-server.js'
import { bodyFrom, storeCall } from '../../support/store-call.js'

const credentials = { accessKeyId: 'FAKEID', accessKeySecret: 'FAKESECRET' }

await t.test(
  'a part goes out as it is and its receipt comes back',
  async (t) => {
    let received: Buffer | undefined
    const server = await scriptedServer(t, {
      steps: [
        async (exchange) => {
          received = await bodyOf(exchange.request)
          await answer(200, {
            etag: '"25F9E794323B453885F5181F1B624D0B"',
            'x-oss-hash-crc64ecma': '11051210869376104954',
          })(exchange)
        },
      ],
    })
    const store = ossStore({
      bucket: 'examplebucket',
      region: 'oss-cn-hangzhou',
      endpoint: server.origin,
      credentials,
    })
    const bytes = Buffer.from('123456789')
    const receipt = await store.uploadPart(
      {
        key: 'a/../b//c d',
        uploadId: 'U',
        partNumber: 3,
        size: 9,
        body: bodyFrom(bytes, 4),
        md5: 'JfnnlDI7RTiF9RgfG2JNCw==',
      },
      storeCall(),
    )
    t.strictSame(receipt, {
      etag: '"25F9E794323B453885F5181F1B624D0B"',
      crc64: '11051210869376104954',
    })
    t.strictSame(received, bytes)
    const [request] = server.requests
    t.equal(
      request?.url,
      '/examplebucket/a/../b//c%20d?partNumber=3&uploadId=U',
    )
    t.equal(request?.headers['content-length'], '9')
    t.equal(request?.headers['content-md5'], 'JfnnlDI7RTiF9RgfG2JNCw==')
    await store.close()
  },
)
