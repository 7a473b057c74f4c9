"""How is a running VM handed over to another node, and taken up there?

By libvirt from daemon to daemon, with the guest left standing still on the destination. libvirt itself may end such a
migration with two running guests: when the connection breaks in the last moment, the source goes on because it did not
hear the answer of the destination, which goes on as well (a comment in its qemuMigrationSrcPeer2Peer3 says so and
leaves it to the lock manager). A guest that waits to be resumed cannot do that, and who resumes it the cluster decides.

On the source nothing is believed because a call returned: what became of it is looked at.
"""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import libvirt
import msgspec

from outlast.plugin import CannotStart, Destination, Progress, Refusal, Transfer, TransferProgress
from outlast.resources.vm import qemu, states
from outlast.resources.vm.connection import URI, Connection, NoAnswer
from outlast.resources.vm.sight import Sight

_ASK_S = 2.0
_SUSPEND_S = 4.0
"""libvirt lets it wait while it ends the migration by which the VM came."""
_LOOKS_S = 0.5
_ENDS_WITHIN_S = 10.0
"""libvirt has said that it is over: so long QEMU may take to end."""
_DAEMON_BACK_S = 20.0
"""A libvirt daemon that restarts in the middle of a migration is back within that."""
_ANSWERS_S = 5.0
_TCP_PORT, _TLS_PORT = 16509, 16514
_MIB = 1024 * 1024


class Migration:
    """Of one VM; the movable part of the plugin API's Resource."""

    def __init__(self, sight: Sight, connection: Connection) -> None:
        self._sight = sight
        self._connection = connection
        self._uuid, self._name = sight.uuid, sight.spec.name
        self._under_way = False

    # -- on the source -------------------------------------------------------------------------------------------

    def hand_over(self, to: Destination, progress: TransferProgress) -> None:
        with self._sight.our_doing():
            self._end_what_another_began()
            self._under_way = True
            try:
                if to.otherwise:
                    to = _reached(to)
                    progress(Transfer(0, address=to.address))
                else:
                    _must_answer(to)
                with self._told(progress):
                    self._migrate(to)
                self._tell_how_it_went(progress)
            except (libvirt.libvirtError, NoAnswer) as error:
                self._find_out(str(error))
            finally:
                self._under_way = False
            self._must_have_ended()
            self._sight.saw(states.MIGRATED, ended=True)

    def _tell_how_it_went(self, progress: TransferProgress) -> None:
        """What libvirt knows of it when it is over, if it still does."""
        with contextlib.suppress(libvirt.libvirtError, NoAnswer):
            flags = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED
            stats = self._connection.ask(lambda conn: dict(self._domain(conn).jobStats(flags)), _ASK_S)
            if stats.get("downtime"):
                progress(Transfer(100, downtime_ms=stats["downtime"]))

    def call_back(self) -> None:
        if self._under_way:
            with contextlib.suppress(libvirt.libvirtError, NoAnswer):
                self._connection.ask(lambda conn: self._domain(conn).abortJob(), _ASK_S)
        else:
            self._end_what_another_began()

    def _migrate(self, to: Destination) -> None:
        # A connection of its own: the call lasts as long as the migration, and others must not wait behind it.
        conn = libvirt.open(URI)
        try:
            conn.setKeepAlive(5, 3)
            self._domain(conn).migrateToURI3(_uri(to), _parameters(to), _flags(to))
        finally:
            with contextlib.suppress(libvirt.libvirtError):
                conn.close()

    def _end_what_another_began(self) -> None:
        """A host that died has left it to libvirt, and nobody waits for its end any more."""
        self._end_job()
        self._resume_here()

    def _end_job(self) -> None:
        """Returns when it is over, well or not. In the last of it libvirt refuses to end it, and while it is busy with
        it does not answer: that is no end."""
        ends_s = time.monotonic() + _ENDS_WITHIN_S
        while self._sight.alive() and self._may_be_under_way():
            if time.monotonic() > ends_s:
                raise RuntimeError("another migration of it is under way, and libvirt does not end it")
            with contextlib.suppress(libvirt.libvirtError, NoAnswer):
                self._connection.ask(lambda conn: self._domain(conn).abortJob(), _ASK_S)
            time.sleep(0.05)

    def _may_be_under_way(self) -> bool:
        try:
            return self._job() is not None
        except libvirt.libvirtError as error:
            return error.get_error_code() not in _RUNS_NOT
        except NoAnswer:
            return True

    def _find_out(self, why: str) -> None:
        """It did not end well. Raises `Refusal` when it runs on here, and returns when it is gone all the same."""
        ends_s = time.monotonic() + _DAEMON_BACK_S
        while True:
            try:
                state, reason = self._connection.ask(lambda conn: tuple(self._domain(conn).state()), _ASK_S)
                break
            except (libvirt.libvirtError, NoAnswer) as error:
                if time.monotonic() > ends_s:
                    raise RuntimeError(f"{why}; and where it is cannot be told: {error}") from error
                time.sleep(0.1)
        if (state, reason) == (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED):
            return
        self._resume_here()
        raise Refusal(_plain(why))

    def _resume_here(self) -> None:
        """libvirt may have left it standing still when the migration failed. Its copy elsewhere cannot run."""

        def resume(conn: Any) -> None:
            domain = self._domain(conn)
            if tuple(domain.state()) in _STANDS_FOR_A_MIGRATION:
                domain.resume()

        with contextlib.suppress(libvirt.libvirtError, NoAnswer):
            self._connection.ask(resume, _ASK_S)

    def _must_have_ended(self) -> None:
        process = self._sight.process or qemu.find(self._uuid, self._sight.libvirt_name)
        if process is None:
            return
        if not process.ended(_ENDS_WITHIN_S):
            raise RuntimeError(f"libvirt says that it has been migrated, and QEMU (pid {process.pid}) still runs here")
        self._sight.drop(process)

    # -- on the destination ----------------------------------------------------------------------------------------

    def take_up(self, progress: Progress) -> None:
        def resume(conn: Any) -> None:
            domain = self._domain(conn)
            if domain.state()[0] == libvirt.VIR_DOMAIN_RUNNING:
                return
            if domain.jobInfo()[0] != libvirt.VIR_DOMAIN_JOB_NONE:
                raise CannotStart(f'cannot take up "{self._name}": it has not arrived whole')
            domain.resume()

        with self._sight.our_doing():
            self._sight.adopt()
            try:
                self._connection.ask(resume, _DAEMON_BACK_S)
            except (libvirt.libvirtError, NoAnswer) as error:
                raise CannotStart(f'cannot take up "{self._name}": {error}') from error
            progress("it runs on")
            self._sight.held.forget()
            self._sight.saw(states.ONLINE)

    def stand_still(self) -> None:
        """It came to run here past the cluster. Raises `Refusal` when it does not stand still."""

        def suspend(conn: Any) -> None:
            self._domain(conn).suspend()

        with self._sight.our_doing():
            self._sight.adopt()
            try:
                self._sight.held.begins()
                self._connection.ask(suspend, _SUSPEND_S)
            except (OSError, libvirt.libvirtError, NoAnswer) as error:
                raise Refusal(f'cannot make "{self._name}" stand still: {error}') from error
            self._sight.saw(states.HELD)

    def stands_here(self) -> bool:
        """Is what runs here a copy that another node has begun to hand over, or one that was started past the cluster,
        and that was never taken up?"""
        return self._sight.process is not None and self._sight.health().stands

    # -- what libvirt says of it -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _told(self, progress: TransferProgress) -> Iterator[None]:
        ended = threading.Event()

        def tell() -> None:
            while not ended.wait(_LOOKS_S):
                with contextlib.suppress(libvirt.libvirtError, NoAnswer):
                    if transfer := self._job():
                        progress(transfer)

        thread = threading.Thread(target=tell, name=f"{self._name} progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(_ASK_S)

    def _job(self) -> Transfer | None:
        """The migration that is under way from here; None: there is none. Raises `NoAnswer`, and what libvirt does."""

        def ask(conn: Any) -> dict[str, Any]:
            return dict(self._domain(conn).jobStats())

        stats = self._sight.connection.ask(ask, _ASK_S)
        if stats.get("operation") != libvirt.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT:
            return None
        return _transfer(stats) if stats.get("type") != libvirt.VIR_DOMAIN_JOB_NONE else None

    def _domain(self, conn: Any) -> Any:
        return conn.lookupByUUIDString(self._uuid)


_RUNS_NOT = (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID)
_STANDS_FOR_A_MIGRATION = (
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION),
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY),
)


def _uri(to: Destination) -> str:
    if not to.certificates:
        return f"qemu+tcp://{_host(to)}/system"
    # The certificates are the cluster's own, which libvirt's idea of what one must look like does not fit.
    return f"qemu+tls://{_host(to)}/system?pkipath={to.certificates}&no_sanity=1"


_HELLO = struct.pack(">7I", 28, 0x20008086, 1, 66, 0, 0, 0)
"""A whole message of libvirt's protocol, its length first: the remote program, version 1, call 66: how may one prove
who one is? Every daemon answers that before it asks anything."""


def _reached(to: Destination) -> Destination:
    """Where somebody answers. Raises `Refusal` when nobody does."""
    try:
        _must_answer(to)
        return to
    except Refusal:
        other = msgspec.structs.replace(to, address=to.otherwise, otherwise="")
        _must_answer(other)
        return other


def _host(to: Destination) -> str:
    return f"[{to.address}]" if ":" in to.address else to.address


def _must_answer(to: Destination) -> None:
    """Raises `Refusal` when nobody does: libvirt would wait for minutes, and could not be told to give up. A daemon
    that hangs still takes connections: that is no answer."""
    port = _TLS_PORT if to.certificates else _TCP_PORT
    try:
        with socket.create_connection((to.address, port), _ANSWERS_S) as plain, _secured(plain, to) as line:
            line.sendall(_HELLO)
            if not line.recv(1):
                raise ConnectionResetError("it closed the connection")
    except TimeoutError:
        raise Refusal(f"libvirt on {to.node} hangs: it says nothing on port {port} within {_ANSWERS_S:g} s") from None
    except OSError as error:
        raise Refusal(f"libvirt on {to.node} does not answer on port {port}: {error.strerror or error}") from error


def _secured(plain: socket.socket, to: Destination) -> socket.socket:
    if not to.certificates:
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(f"{to.certificates}/clientcert.pem", f"{to.certificates}/clientkey.pem")
    if to.otherwise:  # as strict as libvirt, so that the other way is taken when it would refuse this one
        context.load_verify_locations(f"{to.certificates}/cacert.pem")
        return context.wrap_socket(plain, server_hostname=to.address)
    # Whether it is the right one libvirt itself checks, by the same certificates.
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(plain)


def _flags(to: Destination) -> int:
    flags: int = libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER | libvirt.VIR_MIGRATE_PERSIST_DEST
    flags |= libvirt.VIR_MIGRATE_PAUSED | libvirt.VIR_MIGRATE_AUTO_CONVERGE | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
    if to.certificates:
        flags |= libvirt.VIR_MIGRATE_TUNNELLED
    if to.one_cache:  # unsafe, to libvirt, are caches of two hosts
        flags |= libvirt.VIR_MIGRATE_UNSAFE
    return flags


def _parameters(to: Destination) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if not to.certificates:
        found[libvirt.VIR_MIGRATE_PARAM_URI] = f"tcp://{_host(to)}"
    if to.bandwidth_mib_s:
        found[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = to.bandwidth_mib_s
    return found


def _transfer(stats: dict[str, Any]) -> Transfer:
    total, left = stats.get("data_total", 0), stats.get("data_remaining", 0)
    percent = round(100 * (total - left) / total) if total else 0
    rate = stats.get("memory_bps", 0) / _MIB
    sent = stats.get("data_processed", 0) / _MIB
    return Transfer(percent, rate, left / _MIB, stats.get("downtime", 0), sent)


def _plain(why: str) -> str:
    """libvirt's words without what only its own programmers can do something with."""
    for prefix in ("internal error: ", "operation failed: ", "operation aborted: "):
        why = why.removeprefix(prefix)
    return why
