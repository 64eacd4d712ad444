/** Waits for work to settle, however it does, for so many ms at the most. */
export async function within(
  ms: number,
  work: Promise<unknown> | undefined,
): Promise<void> {
  if (work === undefined) return
  let timer: NodeJS.Timeout | undefined
  const bound = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  // Who started the work hears how it ended; here only that it did.
  const settled = work.then(
    () => undefined,
    () => undefined,
  )
  await Promise.race([settled, bound])
  clearTimeout(timer)
}
