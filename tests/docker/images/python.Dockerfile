# In place of python:3.13-slim: the Python 3.13 of trixie, and a pip that finds every package in /wheels.
FROM trixie
COPY wheels /wheels
COPY pip.conf /etc/pip.conf
CMD ["python3"]
