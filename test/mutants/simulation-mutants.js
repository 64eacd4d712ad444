/**
 * Faults of what is believed and in which order it is done, each with the sort of
 * store on which the simulator has to find it, and what schedules lean to.
 */
export const simulationMutants = [
  {
    name: "an object with another's mark is ours",
    find: 'if (carriesMark(found, mark)) {',
    replace: 'if (mark !== undefined) {',
    profile: 'oss',
  },
  {
    name: 'an equal object without our mark is ours',
    find: "  if (mark !== undefined && !dropsMarks) return 'other'\n",
    replace: '',
    profile: 'oss',
  },
  {
    name: 'what contradicts the mark is not looked at',
    find: "if (verdict === 'wrong' || isOtherMaking(found, expected)) return 'other'",
    replace: '',
    profile: 's3',
  },
  {
    name: 'the log of a first run that failed is removed with an upload in it',
    find: 'if (!this.isNew || uploadIds.size > 0) return true',
    replace: 'if (!this.isNew) return true',
    profile: 'oss',
  },
  {
    name: 'the log does not say that the result was handed out',
    find: "await quietly(context, () => log.append({ type: 'told' }))",
    replace: '',
    profile: 'oss',
  },
  {
    name: 'an object with the options of another call is ours',
    find: 'if (isOfOtherOptions) {',
    replace: "if (isOfOtherOptions && sent === '') {",
    profile: 'oss',
  },
  {
    name: 'Complete is repeated without a look',
    find: 'const seen = await this.#look()\n    const isOurs',
    replace: "const seen = { is: 'other', found: 'absent' }\n    const isOurs",
    profile: 'oss',
  },
  {
    name: 'a part is proved by its size',
    find: 'return record.size === candidate.size && record.hash === candidate.hash',
    replace: 'return record.size === candidate.size',
    profile: 'oss',
  },
  {
    name: 'Complete is sent before the log says so',
    find: 'await log.append(completing)',
    replace: 'void log.append(completing)',
    profile: 'oss',
  },
  {
    name: 'an object is claimed whatever the source is',
    find: 'if (!provesEqual(record, { size, hash })) return false',
    replace: '',
    profile: 'oss',
  },
  {
    name: 'where the store ignores the condition nobody looks before Complete',
    find: 'const made = await this.#mustNotExist()',
    replace: 'const made = undefined',
    profile: 'ceph',
  },
  {
    name: 'an object that another has superseded is not told',
    find: "current: isKnown ? there === 'ours' : undefined,",
    replace: 'current: undefined,',
    profile: 's3',
  },
  {
    name: 'an earlier upload with a Complete under way need not be dead',
    find: 'for (const rival of rivalsOf(log.state, log.checkpoint)) {',
    replace:
      'for (const rival of rivalsOf(log.state, log.checkpoint).slice(1)) {',
    profile: 'oss',
  },
  {
    name: 'that an answer of this run was ambiguous is forgotten with the next',
    find: 'if (mayHaveHappened) this.#isOpen = true',
    replace: 'this.#isOpen = mayHaveHappened',
    profile: 'oss',
  },
  {
    name: 'that an earlier run has sent a Complete is forgotten',
    find: "const isSent = sentBefore !== undefined && sentBefore !== 'refused'\n",
    replace: "const isSent = sentBefore === 'never'\n",
    profile: 'like-md5',
  },
  {
    name: 'a receipt of another upload counts',
    find: 'if (uploadId !== this.#known) continue\n',
    replace: '',
    profile: 's3',
  },
  {
    name: 'a part that somebody replaced on the server is reused',
    find: '    sameEtag(record.etag, listed.etag) &&\n',
    replace: '',
    profile: 'lax',
  },
  {
    name: 'the log is removed while an upload in it is not closed',
    find: 'if (log.state.unclosed.size === 0) {',
    replace: 'if (log.state.unclosed.size >= 0) {',
    profile: 'oss',
  },
  {
    name: 'parts that were refused for their sizes are of these again',
    find: 'if (isOpenEnded && equalParts !== undefined) {',
    replace: 'if (isOpenEnded && equalParts === 0) {',
    profile: 'oss',
  },
  {
    name: 'a store that is away is given up after five attempts',
    find: 'if (this.#failures < leastAttempts) return false',
    replace:
      'if (this.#failures <= leastAttempts) return false\n    if (left > 0) return true',
    profile: 'oss',
  },
  {
    name: 'a store that stays away is waited for for ever',
    find: 'if (this.#failures < leastAttempts) return false',
    replace: "if (kind !== 'response' && kind !== 'digest') return false",
    profile: 's3',
  },
  {
    name: 'a callback of which nothing is known is not told of',
    find: 'const isUnknown = callback !== undefined && callbackFailed === undefined',
    replace:
      'const isUnknown = callback === undefined && callbackFailed !== undefined',
    profile: 'oss',
  },
  {
    name: 'a Complete is sent without a look at the lease',
    find: 'await this.#context.log.confirm()\n',
    replace: '',
    profile: 'oss',
    leaning: 'a log that machines share',
  },
  {
    name: 'every hold of a log has the same token',
    find: 'const hold = { token: this.#environment.id(), lease: this.#lease }',
    replace: "const hold = { token: '0'.repeat(32), lease: this.#lease }",
    profile: 'oss',
    leaning: 'a log that machines share',
  },
  {
    name: 'a step that was refused to an older holder counts as done',
    find: "if (outcome === 'done') {\n      held.heardAt",
    replace: "if (outcome !== 'elsewhere') {\n      held.heardAt",
    profile: 's3',
    leaning: 'a log that machines share',
  },
  {
    name: 'a log is taken over without ending the upload before',
    find: 'await endRivals(context, { isLast: true })\n  const earlier',
    replace: 'const earlier',
    profile: 'oss',
    leaning: 'a log that machines share',
  },
  {
    name: 'what a failover may have lost is thought of as written',
    find: '.filter((uploadId) => canLose || rivals.has(uploadId))',
    replace: '.filter((uploadId) => rivals.has(uploadId) && canLose !== null)',
    profile: 'oss',
    leaning: 'a failover that forgets a Complete',
  },
  {
    name: 'a log is let go of before it is unlinked',
    find: 'if (!(await begun(file, this.#unlinkOurs(file)))) return false\n    if (this.#file === file) this.#file = undefined\n    await letGo(file)',
    replace:
      'await letGo(file)\n    if (!(await begun(file, this.#unlinkOurs(file)))) return false\n    if (this.#file === file) this.#file = undefined',
    profile: 'oss',
  },
  {
    name: 'a log is let go of while a call of its disk is under way',
    find: '  file.settled = Promise.allSettled([file.settled, work]).then(() => {})\n',
    replace: '',
    profile: 'oss',
    leaning: 'a log on a disk that hangs',
  },
  {
    name: 'a Complete that was refused when one before it was in doubt counts as undone',
    find: 'if (this.#doubt.isOpen || !isRefusedForGood(cause)) return',
    replace: 'if (!isRefusedForGood(cause)) return',
    profile: 'oss',
    leaning: 'a Complete that is refused, and asked for otherwise',
  },
  {
    name: 'an object that is there of a Complete that was refused is anybody’s',
    find: 'const all = inDoubt.length > 0 ? inDoubt : [...sentDigests.keys()]',
    replace: 'const all = inDoubt',
    profile: 'oss',
    leaning: 'a Complete that is refused, and asked for otherwise',
  },
  {
    name: 'that a Complete was refused is not remembered',
    find: "await log.append({ type: 'refused', sentDigest })",
    replace: '',
    profile: 'oss',
    leaning: 'a Complete that is refused, and asked for otherwise',
  },
]
