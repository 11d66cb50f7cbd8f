/** For tests of services: operations in real branches, without a broker or a coordinator. */
export {
  BranchVotedNo,
  openTestBranches,
  type TestBranchOptions,
  type TestBranches,
  type TestedBranch,
} from './test-branches.js';
