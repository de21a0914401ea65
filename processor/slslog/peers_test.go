package slslog_test

// The defects of other consumers of this service, and the tests that show that Rollcall does not have
// them. The tests run whole workers: coordinators, this package's source, the client and the embedded
// server. In their comments, "elsewhere" means one of the other consumers.
//
//	D1   a panic ended the program and lost its batch      TestD01PanicIsContained
//	D2   hand-over committed a batch that had failed       TestD02HandOverDoesNotAcknowledge
//	D3   misspelt codes: no end, no release, no rejoin     TestD03ErrorsOfTheLastCommit, TestD03EvictedMemberRejoins
//	D4   a batch that failed was skipped                   TestD04FailedBatchComesAgain
//	D5   reading ended, heartbeats went on                 TestD05NoWorkEndsAlone
//	D6   no last commit for shards at work                 TestD06LastBatchIsCommitted
//	D7   forced commits                                    TestD07CommitsAreNotForced
//	D8   no heartbeats in a drain; work without a lease    TestD08HeartbeatsDuringDrain, TestD08NoWorkWithoutALease
//	D9   a bounded run with a filter ended early           TestD09BoundedRunWithFilter
//	D10  one failed GetCursor ended a shard                TestD10CursorIsAskedForAgain
//	D11  heartbeats ended, work went on                    TestD11HeartbeatsThatEnd
//	D12  revoked shards were not released                  TestD12RevokedShardsAreReleased
//	D13  a hand-over waited for a commit for ever          TestD13HandOverCommits
//	D14  the bound on memory leaked                        TestD14BudgetDoesNotLeak
//	D15  a lost shard was reported as success              TestD15LostShardIsAnError
//	D16  the end had no bound                              TestD16StopIsBounded, TestD16ShardsStopTogether
//	D17  expired positions: a loop, or a silent jump       TestD17ExpiredPositions
//	D18  children of a filtered parent waited for ever     TestD18ChildrenOfFilteredParents
//	D19  a stored processor was paced at two pages/s       TestD19FiltersAreNotPaced
//	D20  a waiting shard occupied a read                   TestD20WaitingTakesNoTurn
//	D21  a slow heartbeat held up all shards               TestD21SlowHeartbeatsDelayNothing
//	D22  what was read was committed                       TestD22ReadIsNotAcknowledged
//	D23  data races                                        TestD23NoRaces, and all others with -race
//	D24  two starts; errors of the set-up were hidden      TestD24StartAndConfig
//	D25  poison was tried 20 times/s; bodies leaked        TestD25PoisonIsPaced; TestD25BodiesAreDrained in package sls
//	D26  guessed cursors of log groups                     TestD26CursorsOfGroups
//	D27  heartbeats without a pause                        TestD27EveryErrorIsPaced
//	D28  one shard ended the worker; idle after a return   TestD28OneShardFailsAlone, TestD28ShardComesBackAtOnce
//
// Parts that cannot apply:
//
//   - D11: an error that ends only the heartbeats. One goroutine sends them, and a panic of the HTTP
//     client on it ends the program. So only a call that does not return can stop the heartbeats; the
//     test has one.
//   - D12, D13: a fetching API, and an unload after the commit. Rollcall has neither; the tests show the
//     handovers that they broke.
//   - D22: workers that Stop does not wait for. Run waits for its processors, and names those that do not
//     return: TestD16StopIsBounded.
//   - D24: starting a worker again. One Coordinator is for one Run.
