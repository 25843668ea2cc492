-- webhook.backoff - how long to wait before the next attempt.
set local role leads_jobs;

create or replace function webhook.backoff(elapsed interval, retry_after double precision)
returns interval language sql volatile parallel safe
begin atomic
  -- As long as the attempts have lasted until now, so that the delay doubles; a quarter more or less, so that they spread out.
  select make_interval(secs => least(
    greatest(
      greatest(extract(epoch from backoff.elapsed)::double precision, 5) * (0.75 + random() / 2),
      backoff.retry_after
    ),
    3600
  ));
end;

comment on function webhook.backoff(interval, double precision) is
  'About 5 seconds, then about double the delay each time, up to an hour. elapsed: since the first failure. retry_after: the '
  'seconds for which the receiver asks; they count up to an hour.';
