import { runCommand } from './run.ts'

/** All commands, in the order help shows them. */
export const commands = [runCommand]
