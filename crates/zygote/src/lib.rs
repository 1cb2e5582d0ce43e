//! The native code of templates, as bytes.
//!
//! The problem: a language that takes 100 ms to start is started once (the template) and forked into sandboxes. The fork
//! has steps that no script can take (namespaces, ids, capabilities, a filter), so the template loads a small library that
//! takes them. This room compiles the two libraries (`native/`, C, linked against nothing) and holds their bytes.
//!
//! Parts: `native/template.c` talks to the helper and takes the steps; `native/python.c` and `native/node.c` are the doors
//! for the two languages.
//!
//! Must not know: rooms, sandboxes' contents, functions, any runtime's shim.
//!
//! # Using it
//!
//! A template is started by `Isolation::template`. The caller writes [`PYTHON`] or [`NODE`] into a folder that root owns and
//! that is bound into the template (any name that ends in `.so`, or `.node`). The template's control socket is the
//! descriptor whose number is in `ANYFN_TEMPLATE_FD` (3). Descriptors 0, 1 and 2 are `/dev/null`; what the template prints
//! is lost, so a script that fails should exit: `Isolation::template` then fails, and says with which code.
//!
//! The template loads what it wants to share (no user's code, no secret, no thread, no open connection), and then:
//!
//! ```python
//! import ctypes, gc, os
//! native = ctypes.PyDLL("/var/runtime/template.so")
//! fd = int(os.environ["ANYFN_TEMPLATE_FD"])
//! gc.collect(); gc.freeze()
//! if native.template_ready(fd) < 0: os._exit(70)          # "I can be forked"
//! while (order := native.template_next(fd)) == 1:         # waits; reaps and reports children
//!     try: pid = os.fork()                                # runs the at-fork hooks
//!     except OSError as e: pid = -(e.errno or 11)
//!     if pid == 0:
//!         if native.template_become() < 0: os._exit(70)   # now in the sandbox, as its user
//!         break
//!     if native.template_forked(pid) < 0: os._exit(70)
//! else: os._exit(0 if order == 0 else 70)                 # the helper is gone
//! # here: the child, with the descriptors that `Sandbox::fork` was given, under their numbers
//! ```
//!
//! ```js
//! // node --single-threaded --v8-pool-size=0 template.cjs
//! const { serve, leave } = require("/var/runtime/template.node");
//! const left = serve(Number(process.env.ANYFN_TEMPLATE_FD)); // returns in children only: 0
//! if (left !== 0) process.exit(left === 1 ? 0 : 70);          // 1: the helper is gone; below 0: -errno
//! process.reallyExit = leave;                                 // node's own way out waits for threads that are not there
//! const emit = process.emit;                                  // and so for ends without `process.exit`
//! process.emit = function (name, code) {
//!   const said = emit.apply(this, arguments);
//!   if (name === "exit") leave(process.exitCode ?? code ?? 0);
//!   return said;
//! };
//! ```
//!
//! `Sandbox::fork` takes at most 16 descriptors, with numbers from 0 to 31. In the child all others are closed, also those that the language opened (Python: an `asyncio` loop or a
//! `selectors` object made before the fork is dead; Node's own loop is made anew by the addon). The root, the working
//! folder (`/`), the host name and the pid are the sandbox's; `os.environ`/`process.env` are still the template's and must
//! be replaced by the shim. In Node `process.pid`, `Math.random` and the cache of `crypto.randomUUID` are copies of the
//! template's: the shim must replace them. In Python `random`, `uuid`, `secrets`, `ssl` and `tempfile` differ by the
//! at-fork hooks; the hash seed is the template's in both languages.

/// A shared library for Python 3.8 and newer, loaded by `ctypes.PyDLL`.
pub const PYTHON: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/template.so"));

/// An addon for Node 18 and newer, loaded by `require` of a file whose name ends in `.node`.
pub const NODE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/template.node"));

#[cfg(test)]
mod tests;
