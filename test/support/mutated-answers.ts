/** Honest answers of a store, as bytes, and what faults and malice make of them. */

/** What a mutation draws from. */
export type Random = () => number

const etag = '"25F9E794323B453885F5181F1B624D0B"'
const date = 'date: Tue, 02 Jan 2024 03:04:05 GMT'

function http(status: string, headers: readonly string[], body = ''): Buffer {
  const head = [
    `HTTP/1.1 ${status}`,
    date,
    'x-oss-request-id: 636B68BA80DA8539399FFAKE',
    'x-amz-request-id: 636B68BA80DA8539399FFAKE',
    ...headers,
    `content-length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ]
  return Buffer.from(head.join('\r\n'))
}

const xml = '<?xml version="1.0" encoding="UTF-8"?>\n'
const part = (number: number): string =>
  `<Part><PartNumber>${number}</PartNumber><LastModified>2012-02-23T07:01:34.000Z</LastModified><ETag>&quot;E${number}&quot;</ETag><HashCrc64ecma>11051210869376104954</HashCrc64ecma><Size>6291456</Size></Part>`
const upload = (key: string): string =>
  `<Upload><Key>${key}</Key><UploadId>U</UploadId><Initiated>2012-02-23T06:14:27.000Z</Initiated></Upload>`
const numbers = Array.from({ length: 50 }, (_, i) => i + 1)

/** By the call that they answer. */
export const honestAnswers = {
  createUpload: [
    http(
      '200 OK',
      [],
      `${xml}<InitiateMultipartUploadResult><EncodingType>url</EncodingType><Bucket>examplebucket</Bucket><Key>k</Key><UploadId>0004B9894A22E5B1888A1E29F823FAKE</UploadId></InitiateMultipartUploadResult>`,
    ),
  ],
  uploadPart: [
    http('200 OK', [
      `etag: ${etag}`,
      'x-oss-hash-crc64ecma: 11051210869376104954',
    ]),
  ],
  listParts: [
    http(
      '200 OK',
      ['content-type: application/xml'],
      `${xml}<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>50</NextPartNumberMarker>${numbers.map(part).join('')}</ListPartsResult>`,
    ),
  ],
  completeUpload: [
    http(
      '200 OK',
      ['x-oss-hash-crc64ecma: 5', 'x-oss-version-id: CAEQ'],
      `${xml}<CompleteMultipartUploadResult><ETag>"B864DB6A936D376F9F8D3ED3BBE540FA-3"</ETag></CompleteMultipartUploadResult>`,
    ),
  ],
  listUploads: [
    http(
      '200 OK',
      [],
      `${xml}<ListMultipartUploadsResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>k49</NextKeyMarker><NextUploadIdMarker>U</NextUploadIdMarker>${numbers.map((n) => upload(`k${n - 1 < 10 ? '0' : ''}${n - 1}`)).join('')}</ListMultipartUploadsResult>`,
    ),
  ],
  putObject: [http('200 OK', [`etag: ${etag}`, 'x-oss-hash-crc64ecma: 7'])],
  headObject: [
    http('200 OK', [
      `etag: ${etag}`,
      'last-modified: Tue, 02 Jan 2024 03:04:05 GMT',
      'x-oss-meta-pawl: 0123456789abcdef0123456789abcdef',
    ]),
  ],
  abortUpload: [http('204 No Content', [])],
} as const

/** Any call may be refused. */
export const refusals: readonly Buffer[] = [
  http(
    '403 Forbidden',
    ['x-oss-ec: 0003-00000001', 'retry-after: 7'],
    `${xml}<Error><Code>AccessDenied</Code><Message>You may not.</Message><RequestId>636B</RequestId><HostId>b.oss.example</HostId><EC>0003-00000001</EC><RecommendDoc>https://a.example/?q=1</RecommendDoc></Error>`,
  ),
  http(
    '404 Not Found',
    [
      `x-oss-err: ${Buffer.from('<Error><Code>NoSuchKey</Code></Error>').toString('base64')}`,
    ],
    '',
  ),
  http(
    '503 Service Unavailable',
    ['content-type: text/html'],
    '<html><h1>503</h1></html>',
  ),
]

/** Texts that break readers. */
const nasty = [
  '<',
  '>',
  '&',
  '&amp;',
  '&#0;',
  '&#x110000;',
  '&lol;',
  '<![CDATA[x]]>',
  '<!DOCTYPE a [<!ENTITY lol "lol">]>',
  '<!--',
  '-->',
  '<?x ?>',
  '</Error>',
  '<Error>',
  '<Part/>',
  '<Part><Part>',
  '<constructor>1</constructor>',
  '<__proto__>1</__proto__>',
  '\r\n',
  '\r\n\r\n',
  '\0',
  '\u00ff\u00fe',
  '%',
  '%ff',
  '-1',
  '1e99',
  '99999999999999999999999',
  'Infinity',
  'true',
  ' ',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\n\r\n',
  'transfer-encoding: chunked\r\n',
  'content-length: 5\r\n',
  'connection: upgrade\r\nupgrade: x\r\n',
  'etag: "x"\r\n',
  'location: http://127.0.0.1:1/\r\n',
]

/**
 * A fault or some in an answer. In its body or in the value of a header mostly,
 * with the body's length said as it is: else next to nothing would get as far as
 * the readers of XML.
 */
export function mutate(answer: Buffer, random: Random): Buffer {
  const faults = random() < 0.6 ? 1 : 1 + Math.floor(random() * 4)
  const spoil = (bytes: Buffer): Buffer => {
    let mutated = bytes
    for (let i = 0; i < faults; i++) mutated = mutateOnce(mutated, random)
    return mutated
  }
  const head = answer.indexOf('\r\n\r\n') + 4
  if (random() < 0.2) return spoil(answer)
  const inHead = head === answer.length || random() < 0.3
  const body = inHead ? answer.subarray(head) : spoil(answer.subarray(head))
  const lines = answer.toString('latin1', 0, head - 4).split('\r\n')
  const wrong = inHead ? 1 + Math.floor(random() * (lines.length - 1)) : -1
  const heading = `${lines
    .map((line, i) => (i === wrong ? spoiledValue(line, random) : line))
    .join('\r\n')
    .replace(
      /content-length: \d+$/m,
      `content-length: ${body.length}`,
    )}\r\n\r\n`
  return Buffer.concat([Buffer.from(heading, 'latin1'), body])
}

/** A header with another value, of characters that a value may have. */
function spoiledValue(line: string, random: Random): string {
  const [name = '', value = ''] = line.split(': ')
  const other = mutateOnce(Buffer.from(value, 'latin1'), random)
    .toString('latin1')
    .replace(/[^\x20-\x7e\x80-\xff]/g, '')
  return `${name}: ${other.slice(0, 4000)}`
}

function mutateOnce(bytes: Buffer, random: Random): Buffer {
  const upTo = (most: number): number => Math.floor(random() * most)
  const at = upTo(bytes.length + 1)
  const splice = (skip: number, insert: string | Buffer): Buffer =>
    Buffer.concat([
      bytes.subarray(0, at),
      Buffer.from(insert as string),
      bytes.subarray(at + skip),
    ])
  const text = nasty[upTo(nasty.length)] ?? ''
  switch (upTo(8)) {
    case 0:
      return bytes.subarray(0, at)
    case 1:
      return splice(0, text)
    case 2:
      return splice(1 + upTo(20), text)
    case 3:
      return splice(1 + upTo(200), '')
    case 4:
      // A stretch of it, again and again.
      return splice(
        0,
        Buffer.from(
          bytes
            .subarray(at, at + 1 + upTo(40))
            .toString('latin1')
            .repeat(upTo(20_000)),
          'latin1',
        ).subarray(0, 2 * 1024 * 1024),
      )
    case 5:
      return splice(0, text.repeat(upTo(100_000)).slice(0, 2 * 1024 * 1024))
    case 6: {
      const copy = Buffer.from(bytes)
      copy[at] = upTo(256)
      return copy
    }
    case 7:
    default:
      // Another length than it has: more is read, or less.
      return Buffer.from(
        bytes
          .toString('latin1')
          .replace(/content-length: \d+/, `content-length: ${upTo(3_000_000)}`),
        'latin1',
      )
  }
}
