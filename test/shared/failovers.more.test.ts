/**
 * A failover that loses records of the log: what has become an object is known all the
 * same. What is gone is looked at twice, ten seconds apart.
 */
import t from 'tap'
import { beginUpload } from '../../lib/shared/index.js'
import { leasedLog, typesIn } from '../support/leased-log.js'
import { completesUnheard } from '../support/lost-answers.js'
import {
  failureIn,
  key,
  partSize,
  sharedUpload,
} from '../support/shared-upload.js'

await t.test(
  'a failover has lost the word of an unheard Complete',
  async (t) => {
    const rows: [string, string[], isBegunAgain: boolean][] = [
      ['that word alone', ['completing'], false],
      ['that word alone, and it is begun again', ['completing'], true],
      ['the parts as well', ['completing', 'part'], false],
      ['the parts, and it is begun again', ['completing', 'part'], true],
    ]
    for (const [name, lost, isBegunAgain] of rows) {
      const s = await sharedUpload(t)
      const log = leasedLog()
      const take = () => log.take({ canLose: true })
      const ticket = await s.begin({ checkpoint: take() })
      const receipts = await s.send(ticket)
      s.server.setFault(completesUnheard)
      const unheard = { checkpoint: take(), retry: { attempts: 1 } }
      await failureIn(s.complete(ticket, receipts, unheard))
      s.server.setFault(undefined)
      const said = (): string[] => typesIn(log.appends.join(''))
      t.ok(said().includes('completing'))
      while (said().some((type) => lost.includes(type))) log.loseTail(1)
      const { small: store } = s
      const begun = isBegunAgain
        ? await beginUpload({
            store,
            key,
            size: s.bytes.length,
            partSize,
            checkpoint: take(),
          })
        : undefined
      const result = await s.complete(ticket, receipts, { checkpoint: take() })
      t.match(result, { parts: 11, uploadId: ticket.uploadId }, name)
      t.equal(s.seen('CompleteMultipartUpload').length, 1, 'it is claimed')
      t.equal(s.seen('UploadPart').length, 11, 'no part is sent again')
      // Without receipts nothing proves the object: another upload is begun.
      const isAnew = begun !== undefined && 'pawl' in begun
      t.equal(isAnew, isBegunAgain && lost.includes('part'), name)
      t.equal(result.checkpointLeft, isAnew)
      if (!isAnew) {
        t.equal(log.appends.length, 0, 'and the log is over')
        continue
      }
      t.not(begun.uploadId, ticket.uploadId)
      const again = await s.send(begun)
      await s.complete(begun, again, { checkpoint: take() })
      t.ok(s.bytes.equals(await s.object(key)))
    }
  },
)
