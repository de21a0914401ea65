// Package postgres runs a consumer group on PostgreSQL. New returns a replicated.Client
// that stores the group in four small tables in a schema of its own. The package is a
// separate module, so that other programs do not depend on pgx.
//
// # Requirements
//
// PostgreSQL 14 or later, and an ordinary role, never a superuser. The first write of any
// process creates the schema and its tables; the first write of a newer release upgrades
// them. An older release keeps working with the newer schema if the schema allows it, and
// otherwise refuses with a *SchemaError. To create the schema, the role needs CREATE on the
// database, or CREATE and USAGE on an existing schema. Alternatively, run Migrate once with
// a role that has these rights. The role of the workers then needs USAGE on the schema;
// SELECT, INSERT, UPDATE and DELETE on its tables document, record and checkpoint; SELECT
// on version; and USAGE on the sequence revision. The processes of a group may use
// different roles.
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
// If a database, role, permission, table or setting is missing, the worker ends at once.
// The error wraps the server's error, says what to do, and matches
// heartbeat.ErrUnauthorized. If the same operation has worked before, the worker retries
// while its lease lasts, because somebody may be changing the server at the moment.
//
// # A server that disappears
//
// If a machine loses its power or its network, its connections do not break. Use Tune to
// configure the pool: it makes connections fail in time, and limits the wait for a host
// that does not answer. Without Tune, a lease that is longer than the failover may still be
// lost, for two reasons. A connection that was in use keeps its place in the pool for 15
// seconds after its call has failed (5 with Tune); in the worst case that is every
// connection. And an attempt to connect to a host that does not answer keeps a place for
// two minutes.
//
// Idle connections cost only one call, with or without Tune. If a call reaches its deadline
// and no other call was answered meanwhile, the client resets the pool (Pool.Reset), once
// until the server answers again. If the application shares the pool, this closes its idle
// connections too, and its other connections when they are returned. The calls of the
// application also take places in the pool. So a group that must survive a failover needs a
// pool of its own.
//
// # Notifications
//
// A client that watches its group holds one connection in addition to the pool's. The
// connection executes LISTEN, which needs a session of its own. It is made with the
// configuration and hooks of the pool, or with Config.Listen. Only changes are notified. A
// notification locks the whole database for a moment at commit, and wakes all listening
// sessions. So unchanged heartbeats and checkpoints are not notified. This limits changes
// to a few thousand a second, or fewer on a disk with slow flushes.
//
// A pooler such as PgBouncer may stand between Config.Pool and the server, in transaction
// mode too. In that mode pgx needs default_query_exec_mode=exec in the pool's URL, unless
// the pooler supports prepared statements; and bytea_output must be hex, the default.
// Escape is refused. LISTEN does not work over such a pooler, so Config.Listen must lead to
// the server itself. If notifications do not arrive, a watch fails within seconds with
// ErrNoNotifications. It does the same on a standby, and on an old primary that still runs
// after a failover. The log and the client's Degraded report it, and the group keeps
// working by reads.
//
// # Time
//
// Only the server's clock decides which members have expired. Each write of a record stamps
// it with clock_timestamp(). That is after the heartbeat was sent, and the member counts
// its lease from the sending. If the server's clock is put forward, or if a failover leads
// to a server whose clock is ahead, all records look old although their leases still last.
// A process that sees the server's clock run ahead of its own therefore reports no old
// records until each member has had time to write again. A process that starts after the
// change cannot know about it. If the clock is put back, members that had expired before
// are detected later, by one lease at most.
//
// # What can be lost
//
// A write is acknowledged when its transaction has committed, with the synchronous_commit
// of the session. If that is on, the default, a server that crashes and restarts with its
// disk loses nothing. If it is off, the server loses the last moments. Lost heartbeats do
// no harm if the server is back within a lease. Lost grants and checkpoints mean that work
// is repeated.
//
// A failover to a replica loses the writes that the replica had not received. With
// asynchronous replication, the usual default, these are the last writes: documents and
// checkpoints go back, members notice it and rejoin, and work is repeated. Revisions
// contain random bits, so a lost write is never confused with the write that came in its
// place. With synchronous replication (synchronous_standby_names, and a failover that
// promotes only such a replica) nothing is lost. Choose a TTL that is longer than a
// failover takes. Otherwise all shards stop meanwhile.
package postgres
