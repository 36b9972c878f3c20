"""Runs code in this process, so that its state stays between runs.

Requests arrive on descriptor 3, events leave on 4, one JSON object a line; 1 and 2 belong to the user.
Works on Python 3.4 and later with nothing but the standard library.
"""
import ast
import builtins
import io
import json
import linecache
import os
import signal
import stat
import sys
import time
import traceback
import types


class _Driver(object):
    def __init__(self):
        os.set_inheritable(3, False)
        os.set_inheritable(4, False)
        self.requests = open(3, 'rb', buffering=0)
        self.pending = b''
        self.running = False
        self.serial = 0
        self.owner = os.getpid()
        self.module = types.ModuleType('__main__')
        self.module.__builtins__ = builtins
        self.last_stream = None

    def send(self, **event):
        data = json.dumps(event).encode() + b'\n'
        while data:
            data = data[os.write(4, data):]

    def receive(self):
        while b'\n' not in self.pending:
            chunk = os.read(3, 1 << 16)
            if not chunk:
                os._exit(0)
            self.pending += chunk
        line, self.pending = self.pending.split(b'\n', 1)
        return json.loads(line.decode())

    def ask(self, prompt, password):
        if os.getpid() != self.owner:
            raise EOFError('input is not available in a child process')
        sys.stderr.flush()
        if prompt:
            sys.stdout.write(str(prompt))
        sys.stdout.flush()
        self.send(event='input', password=password)
        return self.receive()['text']

    def on_interrupt(self, _number, _frame):
        if self.running:
            raise KeyboardInterrupt

    def execute(self, code):
        self.serial += 1
        name = '<code %d>' % self.serial
        linecache.cache[name] = (len(code), None, code.splitlines(True), name)
        flags = getattr(ast, 'PyCF_ALLOW_TOP_LEVEL_AWAIT', 0)
        tree = compile(code, name, 'exec', ast.PyCF_ONLY_AST | flags, True)
        last = None
        if tree.body and isinstance(tree.body[-1], ast.Expr):
            last = ast.Expression(tree.body.pop().value)
        space = self.module.__dict__
        self.evaluate(compile(tree, name, 'exec', flags, True), space)
        if last is not None:
            self.show(self.evaluate(compile(last, name, 'eval', flags, True), space))

    def evaluate(self, code, space):
        value = eval(code, space)
        if code.co_flags & 0x80:  # a coroutine: the code has an await at its top level
            import asyncio
            loop = getattr(self, 'loop', None)
            if loop is None or loop.is_closed():
                loop = self.loop = asyncio.new_event_loop()
                asyncio.set_event_loop(loop)
            return loop.run_until_complete(value)
        return value

    def show(self, value):
        if value is None:
            return
        builtins._ = value
        for method, mime in (('_repr_html_', 'text/html'), ('_repr_svg_', 'image/svg+xml'), ('_repr_png_', 'image/png')):
            try:
                data = None if isinstance(value, type) else getattr(value, method, lambda: None)()
            except Exception:
                data = None
            if isinstance(data, bytes):
                import base64
                data = base64.b64encode(data).decode()
            if isinstance(data, str):
                sys.stdout.flush()
                wait_until_read(sys.stdout)
                return self.send(event='display', mime=mime, data=data)
        sys.stdout.write(repr(value))

    def report(self):
        kind, error, trace = sys.exc_info()
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        lines = traceback.format_exception(kind, error, trace)
        sys.stdout.flush()
        sys.stderr.write(''.join(lines))

    def run(self, code):
        try:
            try:
                self.running = True
                self.execute(code)
                return 0
            finally:
                self.running = False
        except SystemExit as error:
            status = error.code
            if status is None:
                return 0
            if isinstance(status, int):
                return status
            sys.stderr.write('%s\n' % (status,))
            return 1
        except BaseException:
            self.report()
            return 1

    def complete(self, code, cursor):
        import re
        import rlcompleter
        word = re.search(r'[\w.]*$', code[:cursor]).group()
        completer = rlcompleter.Completer(self.module.__dict__)
        matches = []
        while len(matches) < 200:
            match = completer.complete(word, len(matches)) if word else None
            if match is None:
                break
            matches.append(match)
        return sorted(set(matches))

    def serve(self):
        self.send(event='ready')
        while True:
            request = self.receive()
            if request['op'] == 'complete':
                try:
                    matches = self.complete(request['code'], request['cursor'])
                except Exception:
                    matches = []
                self.send(event='completion', matches=matches)
            elif request['op'] == 'run':
                status = self.run(request['code'])
                if os.getpid() != self.owner:  # the code forked, and this is the child
                    flush_quietly()
                    os._exit(status & 0xff)
                flush_quietly()
                self.send(event='done', code=status)


def unread(descriptor):
    """Bytes that the other side has not read yet; 0 when that cannot be told."""
    import array
    import fcntl
    import termios
    is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    size = array.array('i', [0])
    fcntl.ioctl(descriptor, termios.FIONREAD if is_pipe else termios.TIOCOUTQ, size, True)
    return size[0]


def wait_until_read(stream, limit=0.05):
    """Lets the reader take what one stream holds before the other is written, which keeps the two in order."""
    try:
        descriptor = stream.fileno()
        until = time.monotonic() + limit
        while unread(descriptor) > 0 and time.monotonic() < until:
            time.sleep(0.0002)
    except Exception:
        pass


class Output(io.TextIOWrapper):
    """Text to a descriptor: complete lines at once, parts of lines when the last part is a moment ago."""

    def __init__(self, descriptor, name):
        raw = io.FileIO(descriptor, 'w', closefd=False)
        io.TextIOWrapper.__init__(self, io.BufferedWriter(raw, 1 << 16), encoding='utf-8', errors='backslashreplace',
                                  line_buffering=True)
        self.stream_name = name
        self.flushed_at = 0.0

    @property
    def name(self):
        return self.stream_name

    def write(self, text):
        last = _driver.last_stream
        if last is not self:
            _driver.last_stream = self
            if last is not None:
                try:
                    last.flush()
                    wait_until_read(last)
                except Exception:
                    pass
        size = io.TextIOWrapper.write(self, text)
        now = time.monotonic()
        if now - self.flushed_at > 0.02:
            self.flushed_at = now
            self.flush()
        return size


class Input(io.TextIOBase):
    """Standard input that asks the user for each line."""

    def readable(self):
        return True

    def fileno(self):
        return 0

    def readline(self, size=-1):
        line = _driver.ask('', False)
        return line if line.endswith('\n') else line + '\n'

    def read(self, size=-1):
        return self.readline()


def flush_quietly():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def replaced_input(prompt=''):
    """Reads a line from the user."""
    return _driver.ask(prompt, False)


def replaced_getpass(prompt='Password: ', stream=None, **_options):
    """Reads a line from the user without showing it."""
    return _driver.ask(prompt, True)


_driver = _Driver()
sys.stdout = sys.__stdout__ = Output(1, '<stdout>')
sys.stderr = sys.__stderr__ = Output(2, '<stderr>')
sys.stdin = sys.__stdin__ = Input()
builtins.input = replaced_input
try:
    import getpass
    getpass.getpass = replaced_getpass
except ImportError:
    pass
_driver.own_module = sys.modules['__main__']
sys.modules['__main__'] = _driver.module
sys.path[0] = ''
sys.argv = ['']
signal.signal(signal.SIGINT, _driver.on_interrupt)
_driver.serve()
