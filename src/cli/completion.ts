import { Command } from 'commander'
export const completionCommand = new Command('completion')
