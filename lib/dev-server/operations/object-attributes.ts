import { checksumElement } from '../body/checksum-headers.js'
import type { JoinedPart, ObjectRecord } from '../storage/records.js'
import { invalidArgument } from '../wire/api-error.js'
import { xmlReply, type Reply } from '../wire/reply.js'
import { parentElement, textElement } from '../wire/xml.js'
import { ownHeader, requireObject, type Context } from './context.js'
import { requireKey } from './customer-key.js'

type Writer = (record: ObjectRecord, context: Context) => readonly string[]

/** The attributes by name, in the order of the answer. */
const writers: Readonly<Record<string, Writer>> = {
  ETag: ({ etag }) => [textElement('ETag', etag)],
  Checksum: ({ checksum }) =>
    checksum === undefined
      ? []
      : [
          parentElement('Checksum', [
            textElement(checksumElement(checksum.algorithm), checksum.value),
            textElement('ChecksumType', checksum.type),
          ]),
        ],
  ObjectParts: (record, context) =>
    record.parts === undefined
      ? []
      : [parentElement('ObjectParts', partElements(record, context))],
  StorageClass: ({ settings }, { dialect }) => [
    textElement(
      'StorageClass',
      settings.storageClass ?? dialect.defaultStorageClass,
    ),
  ],
  ObjectSize: ({ size }) => [textElement('ObjectSize', size)],
}

/** GetObjectAttributes: those that a header asks for. */
export function getObjectAttributes(context: Context): Reply {
  const record = requireObject(context)
  requireKey(context, record.settings)
  const name = 'x-amz-object-attributes'
  const text = ownHeader(context, 'object-attributes') ?? ''
  const asked = text.split(',').map((attribute) => attribute.trim())
  if (!asked.every((attribute) => Object.hasOwn(writers, attribute))) {
    invalidArgument(name, text, 'Invalid attribute name specified.')
  }
  const elements = Object.entries(writers)
    .filter(([attribute]) => asked.includes(attribute))
    .flatMap(([, write]) => write(record, context))
  return xmlReply(context.dialect, 'GetObjectAttributesResponse', elements, {
    'last-modified': new Date(record.time).toUTCString(),
  })
}

/** S3 lists parts only of objects that have checksums; it counts them always. */
function partElements(
  { parts = [], checksum }: ObjectRecord,
  context: Context,
): readonly string[] {
  const count = textElement('PartsCount', parts.length)
  if (checksum === undefined) return [count]
  const marker = readNumber(context, 'part-number-marker', 0)
  const max = Math.min(
    readNumber(context, 'max-parts', context.maxPageSize),
    context.maxPageSize,
  )
  const after = parts.filter(({ partNumber }) => partNumber > marker)
  const page = after.slice(0, max)
  const element = checksumElement(checksum.algorithm)
  return [
    count,
    textElement('PartNumberMarker', marker),
    textElement('NextPartNumberMarker', page.at(-1)?.partNumber ?? marker),
    textElement('MaxParts', max),
    textElement('IsTruncated', String(after.length > page.length)),
    ...page.map((part) => partElement(part, element)),
  ]
}

function partElement(
  { partNumber, size, checksum }: JoinedPart,
  element: string,
): string {
  return parentElement('Part', [
    textElement('PartNumber', partNumber),
    textElement('Size', size),
    ...(checksum === undefined ? [] : [textElement(element, checksum)]),
  ])
}

function readNumber(context: Context, name: string, fallback: number): number {
  const text = ownHeader(context, name)
  if (text === undefined) return fallback
  return /^\d{1,9}$/.test(text)
    ? Number(text)
    : invalidArgument(`x-amz-${name}`, text)
}
