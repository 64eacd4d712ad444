/**
 * A command that uploads a file: a process of its own, from its start to its exit.
 * `{path}` and `{key}` in its words are the file and what it is to be called.
 */
import { runCommand } from '../support/run-command.js'

export function createClient({ command, directory }) {
  return {
    async measure({ path, key }) {
      const words = command.map((word) =>
        word.replace('{path}', path).replace('{key}', key),
      )
      const { wall, cpu, peakRss } = await runCommand(words, directory)
      return { wall, user: cpu, system: 0, peakRss }
    },
  }
}
