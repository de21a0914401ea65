// Package postgres runs a consumer group on PostgreSQL: New returns a
// replicated.Client that keeps the group in four small tables of a schema of its own.
// It is a module of its own, so that nobody else links pgx.
//
// # What it needs
//
// PostgreSQL 14 or newer and an ordinary role, never a superuser. The schema and its
// tables are made by the first write, of whichever process comes first, and brought up to
// date by the first one of a newer release. An older release works on in the newer schema if
// that says that it may, and refuses to with a *SchemaError if not. For that the role needs CREATE on the database,
// or a schema that an administrator made and gave it CREATE and USAGE on. All processes
// use one role, or roles that the owner has granted USAGE on the schema, SELECT, INSERT,
// UPDATE and DELETE on its tables document, record and checkpoint, SELECT on version, and
// USAGE on the sequence revision; Migrate makes them beforehand.
//
// The pool has to lead to the primary; with several hosts in its URL, say
// target_session_attrs=read-write. When a server refuses a write because it takes none (it has
// become a standby, or default_transaction_read_only is on), the pool is reset as below, at
// most once a second, and the next call connects anew.
//
// Heartbeats take their connections from the pool. If the application keeps all of them
// busy for the length of a lease, the member loses its shards: give the group a pool of its
// own, a few connections wide.
//
// The isolation level must be READ COMMITTED, which is the default; with a stricter one,
// writes that meet fail and are made again. Long transactions elsewhere in the same
// database keep the server from pruning old versions of the heartbeats' rows, and make
// each beat dearer.
//
// # What only an operator mends
//
// A database, a user, a right, a table or a setting that the server does not know or does not
// give ends the worker at once, with the server's error and what to do about it, which also
// matches heartbeat.ErrUnauthorized. If the same has worked before, the worker goes on
// while its lease lasts: somebody may be changing things just now.
//
// # A server that vanishes
//
// When a machine loses its power, or the network between, nothing tells the connections
// to it. Tune sets a pool up so that it finds out in time, and does not wait for a host
// that is gone; without it a lease that outlasts the failover may still be lost. For two
// reasons. Connections that were in use keep their places in the pool for another 15
// seconds after their calls have failed, five if it is tuned: at worst that is all of them.
// And each attempt to connect to a host that says nothing keeps one for two minutes.
//
// Connections that were idle cost one call, tuned or not. When a call has ended with its
// deadline, and none was answered meanwhile, the Client has the pool forget all its
// connections (Pool.Reset), once until the server answers again. In a pool that is shared
// with the application this closes the idle ones of the application, too, and those in use
// when they are returned: everybody connects anew. The application's own calls keep places
// as well, so a group that has to live through a failover needs a pool of its own.
//
// # Listening
//
// A Client that watches its group holds one connection on top of the pool's: it executes
// LISTEN, which needs a session of its own for as long as it lasts, and a pool of four
// would miss one of its connections. It is made with the pool's configuration and hooks,
// or with Config.Listen. Only changes notify: a notification takes a lock on the whole
// database when its transaction commits, and wakes every session there that listens to
// anything, so heartbeats that say nothing new do without, and so do checkpoints. Changes
// are limited to some thousand a second by that; a disk with slow flushes makes it fewer.
//
// A pooler such as PgBouncer may stand between Config.Pool and the server, in
// transaction mode too, where pgx needs default_query_exec_mode=exec in the pool's URL
// unless the pooler knows prepared statements. Over that mode bytea_output must be hex, the
// default; escape is refused. LISTEN does not survive such a pooler:
// Config.Listen has to name the server itself then. Without it a watch finds out within
// seconds that it hears nothing and fails with ErrNoNotifications, as it does on a standby, or on an old
// primary that lives on after a failover. The log and the Client's Degraded say so, and the
// group goes on by reading.
//
// # Time
//
// One clock judges who is dead: the server's. A record is stamped with clock_timestamp()
// when it is written, which is after its heartbeat was sent, and a member's lease counts
// from the sending. If the clock is put forward, or a failover leads to a server whose
// clock is ahead, everybody would be overdue at once, within leases that still run: a
// process that sees the clock run ahead of its own reports nobody until the records have
// had the time to be written anew; one that starts later cannot know. A clock that was put back delays the verdict on those
// who died before, by a lease at most.
//
// # What is lost when
//
// A write is acknowledged when its transaction has committed, with the session's
// synchronous_commit. Where that is on, which is the default, a server that crashes,
// and starts again with its disk, has lost nothing. With off it forgets the last moments:
// heartbeats, which costs nothing if it is up again within a lease, but also grants and
// checkpoints that workers have acted upon, so work repeats.
//
// A failover to a replica loses what the replica had not received: with asynchronous
// replication, the default of most setups, the last writes. Documents and checkpoints go
// back then; members notice that and rejoin, work repeats. Revisions carry random bits,
// so that what a lost write and its successor wrote is never taken for the same. With
// synchronous replication (synchronous_standby_names, and a failover that promotes only
// such a replica) nothing is lost. Leases should outlast a failover: choose a TTL above
// the time that yours takes, or all shards stop meanwhile.
package postgres
