import type { Tag } from '../storage/records.js'
import { apiError, invalidArgument } from '../wire/api-error.js'
import { parentElement, textElement } from '../wire/xml.js'
import {
  childElements,
  exactText,
  parseXml,
  singleElement,
} from '../wire/read-xml.js'

const maxTags = 10
const maxKey = 128
const maxValue = 256

/** Tags as a header has them: `a=1&b=2`, encoded. */
export function parseTagHeader(name: string, text: string): readonly Tag[] {
  const tags = [...new URLSearchParams(text)].map(([key, value]) => ({
    key,
    value,
  }))
  return isTagSet(tags) ? tags : invalidArgument(name, text)
}

/** The tags of a `Tagging` document. */
export function parseTagging(text: string): readonly Tag[] {
  const set = singleElement(parseXml(text, 'Tagging'), 'TagSet')
  const tags = childElements(set, 'Tag').map((tag) => ({
    key: exactText(tag['Key']),
    value: exactText(tag['Value']),
  }))
  return isTagSet(tags) ? tags : apiError('InvalidTag')
}

export function taggingElements(tags: readonly Tag[]): readonly string[] {
  const set = tags.map(({ key, value }) =>
    parentElement('Tag', [
      textElement('Key', key),
      textElement('Value', value),
    ]),
  )
  return [parentElement('TagSet', set)]
}

function isTagSet(tags: readonly Tag[]): boolean {
  const names = new Set(tags.map(({ key }) => key))
  return (
    tags.length <= maxTags &&
    names.size === tags.length &&
    tags.every(
      ({ key, value }) =>
        key.length > 0 && key.length <= maxKey && value.length <= maxValue,
    )
  )
}
