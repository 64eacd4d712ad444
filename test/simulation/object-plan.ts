/** What an object is to be besides its bytes, and what another call asks of it. */
import type { Random } from './random.js'

/** What an object is to be; the numbers are of tables below. */
export interface ObjectPlan {
  contentType: number
  metadata: number
  acl: number
  forbidOverwrite: boolean
  /** OSS: somebody is to hear of it from the store. */
  callback: boolean
}

export const contentTypes = [undefined, 'text/plain', 'application/gzip']
export const metadatas = [undefined, { night: '1' }, { night: '2', of: 'us' }]
export const acls = [undefined, 'private', 'public-read']

export function otherObject(object: ObjectPlan, random: Random): ObjectPlan {
  switch (random.below(object.callback ? 5 : 4)) {
    case 4:
      return { ...object, callback: false }
    case 0:
      return { ...object, contentType: random.below(3) }
    case 1:
      return { ...object, metadata: random.below(3) }
    case 2:
      return { ...object, acl: random.below(3) }
    default:
      return { ...object, forbidOverwrite: !object.forbidOverwrite }
  }
}
