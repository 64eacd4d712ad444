import { emptyReply, xmlReply, type Reply } from '../wire/reply.js'
import { requireObject, type Context } from './context.js'
import { readText } from './receive.js'
import { parseTagging, taggingElements } from './tags.js'

/** GetObjectTagging; an object without tags has an empty set. */
export function getTagging(context: Context): Reply {
  const { settings } = requireObject(context)
  const elements = taggingElements(settings.tags ?? [])
  return xmlReply(context.dialect, 'Tagging', elements)
}

/** PutObjectTagging: in the place of all that there were. */
export async function putTagging(context: Context): Promise<Reply> {
  requireObject(context)
  const tags = parseTagging(await readText(context))
  // The object may be another one by now.
  const record = requireObject(context)
  context.storage.objects.describe(record, { ...record.settings, tags })
  context.applied()
  return emptyReply(200)
}

export function deleteTagging(context: Context): Reply {
  const record = requireObject(context)
  const { tags, ...settings } = record.settings
  if (tags !== undefined) {
    context.storage.objects.describe(record, settings)
    context.applied()
  }
  return emptyReply(204)
}
