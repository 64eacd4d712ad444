/**
 * What schedules have found, each as the little that has to happen for it, and how
 * its runs end. Runs behind the last one of a plan are those without faults.
 */
import t from 'tap'
import type { Decision } from './decisions.js'
import type { ObjectPlan } from './object-plan.js'
import type { LeasePlan } from './engine/model.js'
import type { Plan, RunPlan } from './plan.js'
import { playSchedule, type Played } from './scene.js'
import type { ProfileName } from './store/profiles.js'

const noObject: ObjectPlan = {
  contentType: 0,
  metadata: 0,
  acl: 0,
  forbidOverwrite: false,
  callback: false,
}
/** Of one part. */
const plain: RunPlan = {
  style: 'stream',
  source: { noise: 1, size: 16, flips: [] },
  object: noObject,
  partSize: 16,
  concurrency: 1,
  chunk: 300,
  log: true,
  marks: true,
  isSequential: false,
  proof: 'xxh64',
  prove: 'identity',
  skips: false,
  tellsSize: false,
  discards: false,
  vetoes: false,
  after: 100,
  sameProcess: false,
}
/** That somebody can take while another is paused. */
const lease: LeasePlan = { lease: 30_000, canLose: false, linger: 0 }
const other = { source: { noise: 2, size: 40, flips: [] } }
/** Of a pause, ms: some minutes. */
const minutes = 1
const forbid = { object: { ...noObject, forbidOverwrite: true } }

/** At the nth time that a moment comes; `detail` decides of the rest of it. */
type Happening = [at: string, nth: number, does: string, detail?: number]

interface Story {
  name: string
  profile: ProfileName
  /** In which it differs from its profile. */
  knobs?: string[]
  /** Shared by all machines. */
  lease?: LeasePlan
  /** Calls that nobody of us may make. */
  denied?: string[]
  runs: Partial<RunPlan>[]
  happens: Happening[]
  /** In the order in which the runs end. */
  ends: string[]
}

const stories: Story[] = [
  {
    name: 'an object whose part records are lost is claimed by its ETag',
    profile: 'swift',
    runs: [forbid, forbid],
    happens: [
      ['run 1:datasync|intervention', 6, 'power-loss', 1_268_987_738],
      ['between runs|interlude', 1, 'log-damaged', 1_385_151_478],
    ],
    ends: ['run 1 is dead', 'run 2 resolves, 1 reused'],
  },
  {
    name: 'the copy of a log that names another call’s Complete proves nothing',
    profile: 's3',
    runs: [{}, forbid],
    happens: [
      ['run 1:completeUpload sent|intervention', 1, 'kill', 1_031_878_144],
      ['run 2:listParts done|intervention', 1, 'second-machine', 2_007_787_534],
    ],
    ends: [
      'run 1 is dead',
      'run 3 rejects with PAWL_ALREADY_EXISTS',
      'run 2 resolves, 1 reused',
      'run 4 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'what a copied log’s run has completed is no success where no bytes show',
    profile: 'like-md5',
    runs: [
      { source: { noise: 1, size: 32, flips: [] } },
      { source: { noise: 2, size: 32, flips: [] } },
    ],
    happens: [
      [
        'run 1:uploadPart done|intervention',
        4,
        'second-machine',
        1_735_579_416,
      ],
      ['run 1:datasync|disk', 6, 'slow-disk', 719_912_193],
    ],
    ends: ['run 2 resolves, 0 reused', 'run 1 rejects with PAWL_UPLOAD_GONE'],
  },
  {
    name: 'nor where no mark was sent, and the answer has no ETag',
    profile: 'ceph',
    runs: [
      { marks: false, source: { noise: 1, size: 32, flips: [] } },
      { marks: false, source: { noise: 2, size: 32, flips: [] } },
    ],
    happens: [
      [
        'run 1:uploadPart done|intervention',
        2,
        'second-machine',
        1_735_579_416,
      ],
      ['run 1:datasync|disk', 6, 'slow-disk', 719_912_193],
    ],
    ends: [
      'run 2 resolves, 0 reused',
      'run 1 rejects with PAWL_UPLOAD_CONTENDED',
    ],
  },
  {
    name: 'a Complete that the network doubles there is made anew',
    profile: 'like-md5',
    runs: [{}],
    happens: [['run 1:completeUpload|fault', 1, 'twice']],
    ends: ['run 1 rejects with PAWL_UPLOAD_GONE', 'run 2 resolves, 0 reused'],
  },
  {
    name: 'and is not put over where that is forbidden',
    profile: 'like-md5',
    runs: [{ ...forbid, style: 'file' }],
    happens: [['run 1:completeUpload|fault', 1, 'twice']],
    ends: [
      'run 1 rejects with PAWL_ALREADY_EXISTS',
      'run 2 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'without a log the upload is named when nobody can look after Complete',
    profile: 'ceph',
    runs: [{ log: false }],
    happens: [
      ['run 1:completeUpload|fault', 1, 'reset-before'],
      ['run 1:listParts done|intervention', 1, 'store-away', 41],
    ],
    ends: ['run 1 rejects with PAWL_SERVER', 'run 2 resolves, 0 reused'],
  },
  {
    name: 'without a log the upload is ended when no Complete has left',
    profile: 'r2',
    runs: [{ log: false }],
    happens: [
      ['run 1:uploadPart done|intervention', 1, 'store-away', 661],
      ['run 1:completeUpload sent|intervention', 1, 'signal'],
    ],
    ends: ['run 1 rejects with PAWL_SUSPENDED', 'run 2 resolves, 0 reused'],
  },
  {
    name: 'without a log the upload is ended when two parts are too many at once',
    profile: 'ceph',
    knobs: ['few parts'],
    runs: [
      {
        log: false,
        concurrency: 'auto',
        chunk: 40,
        source: { noise: 1, size: 261, flips: [] },
      },
    ],
    happens: [],
    ends: [
      'run 1 rejects with PAWL_TOO_MANY_PARTS',
      'run 2 rejects with PAWL_TOO_MANY_PARTS',
    ],
  },
  {
    name: 'an earlier put of other bytes is an object that may not be put over',
    profile: 'ceph',
    knobs: ['versions'],
    runs: [
      { ...forbid, source: { noise: 1, size: 9, flips: [] } },
      { ...forbid, source: { noise: 2, size: 9, flips: [] } },
    ],
    happens: [['run 1:putObject done|intervention', 1, 'kill']],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_ALREADY_EXISTS',
      'run 3 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'an object that comes in place of an earlier put is kept',
    profile: 'ceph',
    knobs: ['versions'],
    runs: [
      { ...forbid, source: { noise: 1, size: 9, flips: [] } },
      { ...forbid, source: { noise: 1, size: 9, flips: [] } },
    ],
    happens: [
      ['run 1:putObject done|intervention', 1, 'kill'],
      ['run 2:headObject done|intervention', 1, 'others-put'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_ALREADY_EXISTS',
      'run 3 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'with a log the next run claims what nobody could look at',
    profile: 'kms',
    runs: [{}],
    happens: [['run 1:completeUpload done|intervention', 1, 'store-away', 41]],
    ends: ['run 1 rejects with PAWL_SERVER', 'run 2 resolves, 1 reused'],
  },
  {
    name: 'a result of which the log says that it was told is told, however slow the disk',
    profile: 'oss',
    runs: [forbid],
    happens: [
      ['run 1:completeUpload sent|intervention', 1, 'signal'],
      ['run 1:datasync|disk', 7, 'slow-disk', 1],
    ],
    ends: ['run 1 resolves, 0 reused'],
  },
  {
    name: 'a file whose log hangs while it is held against an object ends in time',
    profile: 'kms',
    runs: [
      { source: { noise: 1, size: 37, flips: [] } },
      { style: 'file', source: { noise: 1, size: 37, flips: [19] } },
    ],
    happens: [
      [
        'run 1:completeUpload sent|intervention',
        1,
        'power-loss',
        1_437_751_678,
      ],
      ['run 2:datasync|disk', 2, 'hanging-disk'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_CHECKPOINT_IO',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'after a Complete that never left, NoSuchUpload is the first answer',
    profile: 'like-md5',
    runs: [
      { source: { noise: 1, size: 32, flips: [] } },
      { source: { noise: 2, size: 32, flips: [] } },
    ],
    happens: [
      ['run 1:completeUpload|fault', 1, 'refused-connection'],
      ['run 1:completeUpload|fault', 2, 'twice'],
    ],
    ends: ['run 1 rejects with PAWL_UPLOAD_GONE', 'run 2 resolves, 0 reused'],
  },
  {
    name: 'a PutObject is not repeated over what has come meanwhile',
    profile: 'ceph',
    runs: [{ ...forbid, source: { noise: 1, size: 9, flips: [] } }],
    happens: [
      ['run 1:putObject|fault', 1, 'reset-before'],
      ['run 1:headObject sent|intervention', 2, 'others-put'],
    ],
    ends: [
      'run 1 rejects with PAWL_ALREADY_EXISTS',
      'run 2 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'a put that the network doubles is refused for itself where nobody may look',
    profile: 's3-crc64',
    runs: [{ ...forbid, source: { noise: 1, size: 0, flips: [] } }],
    happens: [
      ['run 1:putObject|fault', 1, 'twice'],
      ['run 1:headObject|fault', 2, 'denied'],
    ],
    ends: [
      'run 1 rejects with PAWL_ALREADY_EXISTS',
      'run 2 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'a store that is away for a minute is waited for',
    profile: 'oss',
    runs: [{}],
    happens: [['run 1:uploadPart sent|intervention', 1, 'store-away', 14]],
    ends: ['run 1 resolves, 0 reused'],
  },
  {
    name: 'a run whose log has forgotten a Complete believes its own refusal',
    profile: 'swift',
    runs: [{}, {}],
    happens: [
      ['run 1:completeUpload|fault', 1, 'lost-reply'],
      ['run 1:headObject sent|intervention', 1, 'kill'],
      ['between runs|interlude', 1, 'log-cut'],
      ['run 2:completeUpload|fault', 1, 'bad-request'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_SERVER',
      'run 3 resolves, 1 reused',
    ],
  },
  {
    name: 'what the store cannot do is said after an outage as before it',
    profile: 'swift',
    runs: [{ ...forbid, source: { noise: 1, size: 0, flips: [] } }],
    happens: [['run 1:putObject done|intervention', 1, 'store-away', 661]],
    ends: ['run 1 rejects with PAWL_SERVER', 'run 2 rejects with PAWL_SERVER'],
  },
  {
    name: 'a part that grew since its record is sent again where no bytes show',
    profile: 'like-md5',
    runs: [
      {
        proof: 'sha256',
        vetoes: true,
        source: { noise: 1, size: 17, flips: [] },
      },
      { proof: 'sha256', source: { noise: 1, size: 37, flips: [] } },
    ],
    happens: [['run 2:uploadPart done|intervention', 2, 'kill']],
    ends: [
      'run 1 rejects with PAWL_BEFORE_COMPLETE',
      'run 2 is dead',
      'run 3 resolves, 1 reused',
    ],
  },
  {
    name: 'what a killed run was about to tell is not claimed, nor put over',
    profile: 'swift',
    runs: [forbid],
    happens: [
      ['run 1:completeUpload sent|intervention', 1, 'signal'],
      ['run 1:datasync|intervention', 7, 'kill'],
    ],
    ends: ['run 1 is dead', 'run 2 rejects with PAWL_ALREADY_EXISTS'],
  },
  {
    name: 'what was made with another callback is another call’s',
    profile: 'oss',
    runs: [
      { object: { ...forbid.object, callback: true } },
      { ...forbid, after: 3_600_000 },
    ],
    happens: [
      ['run 1:completeUpload sent|intervention', 1, 'kill', 463_518_291],
    ],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_ALREADY_EXISTS',
      'run 3 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'a Complete that the network doubles is given up where nobody may look',
    profile: 'oss',
    denied: ['headObject'],
    runs: [{ ...forbid, style: 'file' }],
    happens: [['run 1:completeUpload|fault', 1, 'twice']],
    ends: [
      'run 1 rejects with PAWL_ALREADY_EXISTS',
      'run 2 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'a put without its mark is not put over what has come meanwhile',
    profile: 'swift',
    knobs: ['versions'],
    runs: [{ ...forbid, source: { noise: 1, size: 0, flips: [] } }],
    happens: [
      ['run 1:headObject done|intervention', 1, 'others-put'],
      ['run 1:putObject|fault', 1, 'bad-request'],
    ],
    ends: [
      'run 1 rejects with PAWL_ALREADY_EXISTS',
      'run 2 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'a log whose removal nobody hears of is said to be left',
    profile: 'oss',
    runs: [{ ...forbid, source: { noise: 1, size: 0, flips: [] } }],
    happens: [['run 1:syncDirectory|disk', 2, 'hanging-disk']],
    ends: ['run 1 resolves, 0 reused'],
  },
  {
    name: 'what was complete and not told is not made anew by who may not look',
    profile: 'swift',
    denied: ['headObject'],
    runs: [forbid, forbid],
    happens: [['run 1:unlink|disk', 1, 'hanging-disk', 1]],
    ends: [
      'run 1 resolves, 0 reused',
      'run 2 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 3 rejects with PAWL_COMPLETE_UNKNOWN',
      'run 4 resolves, 1 reused',
    ],
  },
  {
    name: 'a put that is under way replaces what its run has seen since',
    profile: 'ceph',
    knobs: ['versions'],
    runs: [{ ...forbid, source: { noise: 1, size: 0, flips: [] } }],
    happens: [
      ['run 1:headObject done|intervention', 1, 'others-put'],
      ['run 1:putObject|fault', 1, 'late-effect'],
    ],
    ends: [
      'run 1 rejects with PAWL_ALREADY_EXISTS',
      'run 2 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'that parts have to be of one size is found out behind another cause',
    profile: 'like-md5',
    knobs: ['parts of one size, and nobody knows it'],
    runs: [{ grows: true, source: { noise: 1, size: 64, flips: [] } }],
    happens: [
      [
        'run 1:uploadPart done|intervention',
        3,
        'others-send-part',
        1_746_725_654,
      ],
    ],
    ends: [
      'run 1 rejects with PAWL_COMPLETE_REFUSED',
      'run 2 rejects with PAWL_SOURCE_CHANGED',
      'run 3 rejects with PAWL_COMPLETE_REFUSED',
      'run 4 resolves, 0 reused',
    ],
  },
  {
    name: 'a log into which an earlier run’s write may come is held until it has come',
    profile: 'bare',
    runs: [{ vetoes: true }, { after: 3000 }, { after: 600_000 }],
    happens: [
      ['run 1:write|disk', 4, 'slow-disk', 421_072_418],
      ['run 3:completeUpload|fault', 1, 'silence'],
    ],
    ends: [
      'run 1 rejects with PAWL_BEFORE_COMPLETE',
      'run 2 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 3 resolves, 1 reused',
    ],
  },
  {
    name: 'so is one whose emptying hangs',
    profile: 'oss',
    denied: ['abortUpload'],
    runs: [
      { source: { noise: 1, size: 32, flips: [] } },
      { empties: true, object: { ...noObject, contentType: 1 } },
      { empties: true },
      { empties: true },
    ],
    happens: [
      ['run 1:uploadPart done|intervention', 1, 'kill'],
      ['run 3:truncate|disk', 1, 'hanging-disk'],
      ['run 3:truncate|intervention', 1, 'destroy'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 resolves, 0 reused',
      'run 3 rejects with PAWL_SUSPENDED',
      'run 4 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 5 resolves, 0 reused',
    ],
  },
  {
    name: 'and one whose unlink hangs, which would take the next run’s',
    profile: 'kms',
    runs: [{}, { after: 3000 }, { after: 600_000 }],
    happens: [
      ['run 1:write|intervention', 1, 'source-error'],
      ['run 1:unlink|disk', 1, 'slow-disk', 421_072_418],
    ],
    ends: [
      'run 1 rejects with Error',
      'run 2 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'a Complete that was refused is in nobody’s way: what follows it is claimed',
    profile: 'oss',
    runs: [{}, { object: { ...noObject, acl: 2 } }],
    happens: [
      ['run 1:completeUpload|fault', 1, 'denied'],
      ['run 2:completeUpload|fault', 1, 'lost-reply'],
    ],
    ends: ['run 1 rejects with PAWL_ACCESS_DENIED', 'run 2 resolves, 1 reused'],
  },
  {
    name: 'also when it was refused more than once, and the run that follows is killed',
    profile: 'oss',
    runs: [
      {},
      {},
      { object: { ...noObject, acl: 2 } },
      { object: { ...noObject, acl: 2 } },
    ],
    happens: [
      ['run 1:completeUpload|fault', 1, 'denied'],
      ['run 2:completeUpload|fault', 1, 'bad-request'],
      ['run 3:completeUpload|fault', 1, 'lost-reply'],
      ['run 3:completeUpload done|intervention', 1, 'kill'],
    ],
    ends: [
      'run 1 rejects with PAWL_ACCESS_DENIED',
      'run 2 rejects with PAWL_SERVER',
      'run 3 is dead',
      'run 4 resolves, 1 reused',
    ],
  },
  {
    name: 'but one that was refused after an answer that leaves it open is',
    profile: 'oss',
    runs: [{}, { object: { ...noObject, acl: 2 } }],
    happens: [
      ['run 1:completeUpload|fault', 1, 'error-before'],
      ['run 1:completeUpload|fault', 2, 'denied'],
      ['run 2:completeUpload|fault', 1, 'lost-reply'],
    ],
    ends: [
      'run 1 rejects with PAWL_ACCESS_DENIED',
      'run 2 rejects with PAWL_UPLOAD_CONTENDED',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'and so is one for an expired token, of which a copy may have come in time',
    profile: 'oss',
    runs: [{ vetoes: true }, {}, { object: { ...noObject, acl: 2 } }],
    happens: [
      ['run 2:completeUpload|fault', 1, 'expired-token'],
      ['run 2:completeUpload sent|intervention', 2, 'kill', 1_591_536_832],
      ['run 3:completeUpload|fault', 1, 'lost-reply'],
    ],
    ends: [
      'run 1 rejects with PAWL_BEFORE_COMPLETE',
      'run 2 is dead',
      'run 3 rejects with PAWL_UPLOAD_CONTENDED',
      'run 4 resolves, 0 reused',
    ],
  },
  {
    name: 'what was refused and is there all the same is the refused call’s',
    profile: 'oss',
    runs: [{}, { object: { ...noObject, acl: 2 } }],
    happens: [['run 1:completeUpload|fault', 1, 'refused-after']],
    ends: ['run 1 rejects with PAWL_ACCESS_DENIED', 'run 2 resolves, 0 reused'],
  },
  {
    name: 'and is claimed by it',
    profile: 'oss',
    runs: [{}],
    happens: [['run 1:completeUpload|fault', 1, 'refused-after']],
    ends: ['run 1 rejects with PAWL_ACCESS_DENIED', 'run 2 resolves, 1 reused'],
  },
  {
    name: 'an object of another machine’s that lies under another’s is not seen',
    profile: 'swift',
    knobs: ['versions'],
    runs: [
      { partSize: 64, source: { noise: 1, size: 191, flips: [] } },
      {
        partSize: 64,
        source: { noise: 1, size: 191, flips: [59] },
        after: 1_850_969,
      },
    ],
    happens: [
      ['run 1:write|intervention', 7, 'second-machine', 1_598_810_209],
      ['run 1:datasync|intervention', 7, 'kill', 2_132_292_916],
      ['between runs|interlude', 1, 'others-put-equal'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 resolves, 3 reused',
      'run 3 rejects with PAWL_UPLOAD_GONE',
      'run 4 resolves, 0 reused',
    ],
  },
  {
    name: 'without a mark nobody knows the ETag of what may have been there before',
    profile: 's3-crc64',
    runs: [{ marks: false }],
    happens: [
      ['run 1:headObject|fault', 1, 'denied'],
      ['run 1:completeUpload|fault', 1, 'empty-etag'],
    ],
    ends: ['run 1 resolves, 0 reused'],
  },
  {
    name: 'a log that is emptied names what is still to be ended',
    profile: 'oss',
    denied: ['abortUpload'],
    runs: [
      { source: { noise: 1, size: 32, flips: [] } },
      { empties: true, object: { ...noObject, contentType: 1 } },
      { empties: true },
    ],
    happens: [['run 1:uploadPart done|intervention', 1, 'kill']],
    ends: [
      'run 1 is dead',
      'run 2 resolves, 0 reused',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'a log whose emptying the power loss undoes is told as it was',
    profile: 'oss',
    runs: [{}, { empties: true }],
    happens: [
      ['run 1:unlink|disk', 1, 'not-removable'],
      ['run 2:datasync|intervention', 1, 'power-loss'],
    ],
    ends: [
      'run 1 resolves, 0 reused',
      'run 2 is dead',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'a log that a run has emptied and died is a new one',
    profile: 'oss',
    runs: [{}, { empties: true }],
    happens: [
      ['run 1:unlink|disk', 1, 'not-removable'],
      ['run 2:write|intervention', 1, 'kill'],
    ],
    ends: [
      'run 1 resolves, 0 reused',
      'run 2 is dead',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'an emptied log that finds no room on the disk ends what it named',
    profile: 'oss',
    denied: ['abortUpload'],
    runs: [
      { source: { noise: 1, size: 32, flips: [] } },
      { empties: true, object: { ...noObject, contentType: 1 } },
      { empties: true },
    ],
    happens: [
      ['run 1:uploadPart done|intervention', 1, 'kill'],
      ['run 3:truncate|intervention', 1, 'rights-back'],
      ['run 3:write|disk', 1, 'disk-full'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 resolves, 0 reused',
      'run 3 rejects with PAWL_CHECKPOINT_IO',
      'run 4 resolves, 0 reused',
    ],
  },
  {
    name: 'and who may not end it has lost it',
    profile: 'oss',
    denied: ['abortUpload'],
    runs: [
      { source: { noise: 1, size: 32, flips: [] } },
      { empties: true, object: { ...noObject, contentType: 1 } },
      { empties: true },
    ],
    happens: [
      ['run 1:uploadPart done|intervention', 1, 'kill'],
      ['run 3:write|disk', 1, 'disk-full'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 resolves, 0 reused',
      'run 3 rejects with PAWL_CHECKPOINT_IO',
      'run 4 resolves, 0 reused',
    ],
  },
  {
    name: 'an answer that may be to an earlier Complete of other parts is no success',
    profile: 'bare',
    runs: [
      { style: 'file', source: { noise: 1, size: 48, flips: [] } },
      {
        style: 'file',
        source: { noise: 1, size: 55, flips: [] },
        sameProcess: true,
      },
    ],
    happens: [
      ['run 1:completeUpload sent|intervention', 1, 'kill', 1_591_536_832],
      ['run 2:completeUpload sent|landing', 1, 'lands'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_UPLOAD_CONTENDED',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'nor where nobody may look',
    profile: 'kms',
    denied: ['headObject'],
    runs: [
      { style: 'file', source: { noise: 1, size: 48, flips: [] } },
      {
        style: 'file',
        source: { noise: 1, size: 55, flips: [] },
        sameProcess: true,
      },
    ],
    happens: [
      ['run 1:completeUpload sent|intervention', 1, 'kill', 1_591_536_832],
      ['run 2:completeUpload sent|landing', 1, 'lands'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_UPLOAD_CONTENDED',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'a Complete that comes while its upload is given up is not claimed',
    profile: 'like-md5',
    knobs: ['lists that lag'],
    runs: [forbid, forbid],
    happens: [
      ['run 1:completeUpload|fault', 1, 'late-effect', 1_859_927_829],
      ['run 1:completeUpload|fault', 2, 'bad-request'],
      ['run 2:abortUpload sent|landing', 1, 'lands'],
    ],
    ends: [
      'run 1 rejects with PAWL_SERVER',
      'run 2 rejects with PAWL_ALREADY_EXISTS',
      'run 3 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'what may be there and cannot be seen is not called another’s when its upload is gone',
    profile: 'lax',
    runs: [forbid, forbid],
    happens: [
      ['run 1:completeUpload sent|intervention', 1, 'kill', 1_591_536_832],
      ['run 2:listParts sent|landing', 1, 'lands'],
      ['run 2:headObject|fault', 2, 'denied'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_COMPLETE_UNKNOWN',
      'run 3 resolves, 1 reused',
    ],
  },
  {
    name: 'a Complete that lands after it was repeated makes a version where a store lets it',
    profile: 'r2',
    knobs: ['a Complete that makes another version when repeated'],
    lease,
    runs: [{}, other],
    happens: [['run 1:completeUpload|fault', 1, 'late-effect', 1]],
    ends: [
      'run 2 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 1 resolves, 0 reused',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'an object that Completes with one ACL or another may have made is no success',
    profile: 'oss',
    runs: [{}, { object: { ...noObject, acl: 2 } }],
    happens: [
      ['run 1:completeUpload sent|intervention', 1, 'kill', 1_591_536_832],
      ['run 2:completeUpload|fault', 1, 'reset-before'],
      ['run 2:completeUpload sent|landing', 2, 'lands'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_UPLOAD_CONTENDED',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'nor does a later run claim it',
    profile: 'oss',
    runs: [
      {},
      { object: { ...noObject, acl: 2 } },
      { object: { ...noObject, acl: 2 } },
    ],
    happens: [
      ['run 1:completeUpload sent|intervention', 1, 'kill', 1_591_536_832],
      ['run 2:completeUpload sent|landing', 1, 'lands'],
      ['run 2:completeUpload sent|intervention', 1, 'kill'],
    ],
    ends: ['run 1 is dead', 'run 2 is dead', 'run 3 resolves, 0 reused'],
  },
  {
    name: 'who lost the log while Complete was under way believes no answer without an ETag',
    profile: 'ceph',
    knobs: ['no metadata'],
    lease: { lease: 1000, canLose: true, linger: 5000 },
    runs: [
      { source: { noise: 1, size: 16, flips: [] } },
      { source: { noise: 2, size: 16, flips: [] } },
    ],
    happens: [
      ['run 1:completeUpload|fault', 1, 'slow-request', 570_011_501],
      ['run 1:completeUpload sent|intervention', 1, 'pause', 1_995_990_175],
    ],
    ends: [
      'run 2 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 3 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 4 rejects with PAWL_UPLOAD_CONTENDED',
      'run 1 rejects with PAWL_CHECKPOINT_LOST',
      'run 5 resolves, 0 reused',
    ],
  },
  {
    name: 'a put that nobody heard of is put whole by who has other parts since',
    profile: 'like-md5',
    runs: [
      { ...forbid, source: { noise: 1, size: 63, flips: [] }, partSize: 64 },
      { ...forbid, source: { noise: 1, size: 63, flips: [] } },
    ],
    happens: [['run 1:putObject|fault', 1, 'lost-reply']],
    ends: [
      'run 1 rejects with PAWL_COMPLETE_UNKNOWN',
      'run 2 rejects with PAWL_COMPLETE_UNKNOWN',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'an upload that a fourth run may not abort is let go, and told of',
    profile: 'oss',
    denied: ['abortUpload'],
    runs: [{ style: 'file', isSequential: true }, {}, {}],
    happens: [
      ['run 1:uploadPart sent|intervention', 1, 'others-send-part'],
      ['run 1:abortUpload|fault', 1, 'bad-request'],
    ],
    ends: [
      'run 1 resolves, 0 reused',
      'run 2 resolves, 0 reused',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'a put that is damaged where nobody compares is told of as it is there',
    profile: 'like-md5',
    knobs: ['MD5s that nobody compares'],
    runs: [{ source: { noise: 1, size: 1, flips: [] } }],
    happens: [['run 1:putObject|fault', 2, 'damaged-body']],
    ends: ['run 1 resolves, 0 reused'],
  },
  {
    name: 'a log that an earlier run’s unlink takes late is left, for all that is known',
    profile: 'kms',
    runs: [{}, { after: 1500 }],
    happens: [
      ['run 1:write|intervention', 1, 'source-error'],
      ['run 1:unlink|disk', 1, 'slow-disk', 1],
      ['between runs|interlude', 1, 'log-lost'],
      ['run 2:headObject|fault', 1, 'slow-answer', 3],
    ],
    ends: ['run 1 rejects with Error', 'run 2 resolves, 0 reused'],
  },
  {
    name: 'and nobody ends an upload that only such a log has named',
    profile: 's3-crc64',
    denied: ['completeUpload'],
    runs: [{}, {}],
    happens: [
      ['run 1:createUpload|fault', 1, 'denied'],
      ['run 1:unlink|disk', 1, 'slow-disk', 421_072_418],
      ['between runs|interlude', 1, 'log-restored'],
    ],
    ends: [
      'run 1 rejects with PAWL_ACCESS_DENIED',
      'run 2 rejects with PAWL_ACCESS_DENIED',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'an upload whose ID finds no room on the disk is ended',
    profile: 'oss',
    runs: [{}],
    happens: [['run 1:write|disk', 3, 'disk-full']],
    ends: ['run 1 rejects with PAWL_CHECKPOINT_IO', 'run 2 resolves, 0 reused'],
  },
  {
    name: 'an upload whose ID the engine does not take is ended',
    profile: 'oss',
    lease,
    runs: [{}],
    happens: [['run 1:log append|engine', 3, 'engine-away', 1]],
    ends: ['run 1 rejects with PAWL_CHECKPOINT_IO', 'run 2 resolves, 0 reused'],
  },
  {
    name: 'a run that was stopped in a step of its log goes on where nobody took it',
    profile: 'oss',
    lease,
    runs: [{}],
    happens: [['run 1:log remove|intervention', 1, 'pause', minutes]],
    ends: ['run 1 resolves, 0 reused'],
  },
  {
    name: 'a renewal that a stopped run hears of late is asked for anew',
    profile: 'oss',
    lease: { ...lease, lease: 1000, linger: 5000 },
    runs: [{}],
    happens: [
      ['run 1:log append|engine', 4, 'engine-away', 429_921_527],
      ['run 1:log renew|intervention', 2, 'pause', 1_863_760_229],
    ],
    ends: ['run 1 resolves, 0 reused'],
  },
  {
    name: 'nobody ends an upload of which a failover has left nothing in the log',
    profile: 'oss',
    lease: { ...lease, lease: 1000, canLose: true },
    runs: [{}, { after: 60_000, object: { ...noObject, contentType: 1 } }],
    happens: [
      ['run 1:completeUpload sent|intervention', 1, 'kill', 1_591_536_832],
      ['run 2:log open|intervention', 1, 'failover', 2],
      ['run 3:ended|landing', 1, 'lands'],
    ],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'a log that a failover brings back was removed, for all that its run knows',
    profile: 'oss',
    lease: { ...lease, canLose: true },
    runs: [
      { source: { noise: 1, size: 0, flips: [] } },
      { source: { noise: 1, size: 0, flips: [] }, after: 115 },
    ],
    happens: [['run 2:log open|intervention', 1, 'failover', 7]],
    ends: [
      'run 1 resolves, 0 reused',
      'run 2 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 3 resolves, 0 reused',
    ],
  },
  {
    name: 'a log that a failover has lost is left, for all that its run knows',
    profile: 'oss',
    lease: { ...lease, canLose: true },
    runs: [{ source: { noise: 1, size: 0, flips: [] } }],
    happens: [['run 1:putObject done|intervention', 1, 'failover', 9]],
    ends: ['run 1 resolves, 0 reused'],
  },
  {
    name: 'a log whose removal comes after the death of its run is gone for the next',
    profile: 'ceph',
    lease,
    runs: [
      { ...forbid, source: { noise: 1, size: 0, flips: [] } },
      {
        ...forbid,
        source: { noise: 1, size: 0, flips: [] },
        after: 10_000,
      },
    ],
    happens: [['run 1:log remove|intervention', 1, 'kill']],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_ALREADY_EXISTS',
      'run 3 rejects with PAWL_ALREADY_EXISTS',
    ],
  },
  {
    name: 'an older file that wakes is not put over what a newer run has made',
    profile: 'oss',
    lease,
    runs: [
      { ...other, style: 'file' },
      { source: { noise: 3, size: 40, flips: [] } },
    ],
    happens: [['run 1:uploadPart done|intervention', 2, 'pause', minutes]],
    ends: [
      'run 2 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 3 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 4 resolves, 0 reused',
      'run 1 rejects with PAWL_CHECKPOINT_LOST',
    ],
  },
  {
    name: 'an object that the log has forgotten is no call’s where its ACL cannot be seen',
    profile: 'oss',
    runs: [{}, { object: { ...noObject, acl: 2 } }],
    happens: [
      ['run 1:completeUpload done|intervention', 1, 'kill'],
      ['between runs|interlude', 1, 'log-cut', 1],
    ],
    ends: ['run 1 is dead', 'run 2 resolves, 0 reused'],
  },
  {
    name: 'a Complete that a failover has made the log forget is claimed',
    profile: 's3-crc64',
    lease: { ...lease, canLose: true },
    runs: [other, { ...other, after: 60_000 }],
    happens: [
      ['run 1:completeUpload done|intervention', 1, 'kill'],
      ['run 2:log open|intervention', 1, 'failover', 9],
    ],
    ends: [
      'run 1 is dead',
      'run 2 rejects with PAWL_CHECKPOINT_LOCKED',
      'run 3 resolves, 3 reused',
    ],
  },
]

function endsOf({ trace }: Played): string[] {
  return trace.flatMap(({ who, text }) => {
    const [, end] = /^(resolves|rejects with \w+|is dead)/.exec(text) ?? []
    if (end === undefined) return []
    const [, reused] = /, (\d+) reused/.exec(text) ?? []
    return `${who} ${end}${reused === undefined ? '' : `, ${reused} reused`}`
  })
}

for (const story of stories) {
  const { name, profile, knobs = [], denied = [], runs } = story
  const { lease, happens, ends } = story

  await t.test(name, async (t) => {
    const plan: Plan = {
      profile,
      knobs,
      denied,
      ...(lease === undefined ? {} : { lease, engine: { most: 9, likely: 1 } }),
      runs: runs.map((run) => ({ ...plain, ...run })),
      faults: { most: 9, likely: 1 },
      disk: { most: 9, likely: 1 },
      interventions: { most: 9, likely: 1 },
    }
    const decisions = happens.map(([at, nth, does, detail = 1]): Decision => ({
      at,
      nth,
      does,
      detail,
    }))
    const list = { decisions, waits: [] }
    const played = await playSchedule(1, plan, { list })
    t.equal(played.violation, undefined)
    t.same(endsOf(played), ends)
    const made = played.decisions.map(({ at }) => at).toSorted()
    const all = decisions.map(({ at }) => at).toSorted()
    t.same(made, all, 'all of it has happened')
  })
}
