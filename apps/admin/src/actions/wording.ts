/** Actions as people read them, and the words on their buttons. */
import type { ActionName, OfferedAction, OrphanAction } from '@concordat/client';

type AnyAction = ActionName | OrphanAction['action'];

const NAMES: Readonly<Record<AnyAction, string>> = {
  retry: 'Retry now',
  abort: 'Abort',
  acknowledge: 'Acknowledge',
  'force-commit-branch': 'Force commit',
  'force-abort-branch': 'Force abort',
  finish: 'Finish as decided',
  'record-heuristic': 'Record as heuristic',
  'force-commit': 'Force commit',
  'force-abort': 'Force abort',
};

export function actionName(action: AnyAction): string {
  return NAMES[action] ?? action;
}

export function isForce(action: AnyAction): boolean {
  return action.startsWith('force');
}

/** Whether it runs on one click: nothing has to be said first. */
export function isOneClick({ needs }: Pick<OfferedAction, 'needs'>): boolean {
  return !needs.reason && !needs.ticket && needs.confirm === undefined;
}

const RESULTS: Readonly<Record<string, string>> = {
  done: 'done',
  sent: 'sent, no answer yet',
  unreachable: 'not reached',
  refused: 'refused',
  'nothing-to-do': 'nothing to do',
};

export function resultWords(result: string): string {
  return RESULTS[result] ?? result;
}
