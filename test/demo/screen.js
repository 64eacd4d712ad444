/**
 * What a terminal shows after some output: enough of one for a shell and for
 * `pawl`, and an error for anything else, so that a picture is never a guess.
 */
export class Screen {
  #columns
  #lines = ['']
  #row = 0
  #column = 0
  #saved = { row: 0, column: 0 }

  constructor(columns) {
    this.#columns = columns
  }

  /** Lines from the first on, without spaces at their ends. */
  get lines() {
    return this.#lines.map((line) => line.trimEnd())
  }

  write(text) {
    // Whole sequences only: the caller gives all that was said.
    const tokens = text.matchAll(
      // oxlint-disable-next-line no-control-regex
      /\u001b\[([?\d;]*)([A-Za-z])|\u001b([78=>])|([\s\S])/gu,
    )
    for (const [, argument, command, escape, character] of tokens) {
      if (command !== undefined) this.#control(argument, command)
      else if (escape !== undefined) this.#escape(escape)
      else this.#put(character)
    }
  }

  #control(argument, command) {
    const count = Number(argument || 1)
    // Cursor shown or hidden, pasting, colours: nothing that can be read.
    if (argument.startsWith('?') || command === 'm') return
    if (command === 'G') this.#column = count - 1
    else if (command === 'K' && !/^[12]$/.test(argument)) this.#clearRight()
    else throw new Error(`a control sequence that is not known: ${command}`)
  }

  #escape(which) {
    if (which === '7') this.#saved = { row: this.#row, column: this.#column }
    if (which === '8') {
      this.#row = this.#saved.row
      this.#column = this.#saved.column
    }
  }

  #put(character) {
    if (character === '\r') this.#column = 0
    else if (character === '\n') this.#down()
    else if (character < ' ') {
      throw new Error(`a control character that is not known: ${character}`)
    } else {
      if (this.#column === this.#columns) {
        this.#column = 0
        this.#down()
      }
      const line = (this.#lines[this.#row] ?? '').padEnd(this.#column)
      this.#lines[this.#row] =
        line.slice(0, this.#column) + character + line.slice(this.#column + 1)
      this.#column++
    }
  }

  #down() {
    this.#row++
    this.#lines[this.#row] ??= ''
  }

  #clearRight() {
    const line = this.#lines[this.#row] ?? ''
    this.#lines[this.#row] = line.slice(0, this.#column)
  }
}
