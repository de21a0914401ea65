// Package postgres runs a consumer group on PostgreSQL. New returns a replicated.Client
// that stores the group in four small tables in a schema of its own. The package is a
// separate module, so that other programs do not depend on pgx.
//
// # Requirements
//
// PostgreSQL 14 or later, and an ordinary role, never a superuser. The first write of any
// process creates the schema and its tables; the first write of a newer release upgrades them.
// An older release keeps working with the newer schema if the schema allows it. Otherwise its
// calls fail with a *SchemaError. To create the schema, the role needs CREATE on the database,
// or CREATE and USAGE on an existing schema. Alternatively, run Migrate once with a role that
// has these privileges. The role of the workers then needs USAGE on the schema; SELECT,
// INSERT, UPDATE and DELETE on its tables document, record and checkpoint; SELECT on version;
// and USAGE on the sequence revision. The processes of a group may use different roles.
//
// The pool must connect to the primary. If its URL has several hosts, set
// target_session_attrs=read-write. If a server refuses a write because it is read-only (it
// has become a standby, or default_transaction_read_only is on), the client resets the
// pool, at most once a second, and the next call connects anew.
//
// Heartbeats use connections of the pool. If the application keeps all of them busy for the
// length of a lease, the member loses its shards. So give the group a pool of its own, with
// a few connections.
//
// The isolation level must be READ COMMITTED, the default. With a stricter level,
// concurrent writes fail and are retried. Long transactions in the same database prevent
// the server from removing old row versions of heartbeats, and make each heartbeat slower.
//
// # Errors for the operator
//
// If a database, role, privilege, table or setting is missing, the worker ends at once. The
// error wraps the server's error, says what to do, and matches heartbeat.ErrUnauthorized. But
// if the worker could use the server before, somebody may be changing the server at the
// moment. Then the worker retries while its lease lasts, or for one TTL if it has no lease.
// For a missing privilege, that requires that the same operation has succeeded; for anything
// else, any query.
//
// # A server that disappears
//
// If the server's machine loses its power or its network, the client's connections to it do
// not break. Use Tune to configure the pool: it makes connections fail in time, and limits the
// wait for a host that does not answer. Without Tune, members may lose their leases even if
// the TTL is longer than the failover, because the pool has no free connection:
//
//   - A connection that was in use counts against the size of the pool for 15 seconds after
//     its call has failed (5 with Tune). In the worst case, all connections of the pool are in
//     this state.
//   - An attempt to connect to a host that does not answer counts for two minutes.
//
// Idle connections to the lost server make only one call fail, with or without Tune. If a call
// reaches its deadline and no other call was answered meanwhile, the client resets the pool
// (Pool.Reset). It does so at most once before the server answers again. If the application
// shares the pool, the reset closes the application's idle connections too, and its other
// connections when they are returned. The application's calls also use connections of the
// pool. So a group that must survive a failover needs a pool of its own.
//
// # Notifications
//
// A client that watches its group holds one connection in addition to the pool's. The
// connection executes LISTEN, which needs a session of its own. It is made with the
// configuration and hooks of the pool, or with Config.Listen.
//
// A notification locks the whole database for a moment at commit, and wakes all listening
// sessions. So the client sends notifications of changes only: none for an unchanged
// heartbeat, and none for a checkpoint. The lock limits changes to a few thousand a second, or
// fewer on a disk with slow flushes.
//
// A pooler such as PgBouncer may stand between Config.Pool and the server, in transaction
// mode too. In that mode pgx needs default_query_exec_mode=exec in the pool's URL, unless
// the pooler supports prepared statements. The server's bytea_output must then be hex, the
// default; the client refuses escape. LISTEN does not work over such a pooler, so
// Config.Listen must lead to the server itself.
//
// If notifications do not arrive, a watch fails within seconds with ErrNoNotifications. It
// fails with the same error if its connection leads to a standby, or to an old primary that
// still runs after a failover. The log and Client.Degraded report the error. The group keeps
// working: its members read periodically instead.
//
// # Time
//
// Only the server's clock decides which members have expired. Each write of a record stamps it
// with clock_timestamp(). A member counts its lease from the time when it sent the heartbeat,
// which is before the stamp. So the lease ends before the record is old enough for the member
// to expire.
//
// If the server's clock is put forward, or if a failover leads to a server whose clock is
// ahead, all records look old although the members' leases still last. So when a process sees
// the server's clock run ahead of its own, it reports no old records until each member has had
// time to write again. A process that starts after the change cannot know about it. If the
// clock is put back, the group needs up to one lease longer to detect members that had expired
// before.
//
// # What can be lost
//
// A write is acknowledged when its transaction has committed, as the session's setting
// synchronous_commit says. If the setting is on, the default, a server that crashes and
// restarts with its disk intact loses nothing. If it is off, the server loses the writes of
// the last moments. Lost heartbeats do no harm if the server is back within a lease. If grants
// and checkpoints are lost, work is repeated.
//
// A failover to a replica loses the writes that the replica had not received. With
// asynchronous replication, the usual default, these are the last writes: documents and
// checkpoints go back to older versions, members notice that and rejoin, and work is repeated.
// Revisions contain random bits, so a process never takes a later write for the lost one. With
// synchronous replication (synchronous_standby_names, and a failover that promotes only such a
// replica) nothing is lost.
//
// Choose a TTL that is longer than a failover takes. Otherwise each failover stops all shards.
package postgres
