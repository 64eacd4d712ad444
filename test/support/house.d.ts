import type ts from 'typescript'

export interface Source {
  name: string
  tree: ts.SourceFile
  lines: number
  imports: string[]
}
export function sourcesOf(folder: string): Source[]
export function roomOf(name: string): string
export function arrowsOf(sources: Source[]): string[]
export function levelsOf(graph: ReadonlyMap<string, readonly string[]>): {
  levels: string[][]
  circle: string[]
}
export function roomsOf(sources: Source[]): Map<string, string[]>
export function filesOf(sources: Source[]): Map<string, string[]>
