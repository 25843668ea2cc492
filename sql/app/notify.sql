-- app.notify - notifies the programs that listen on a channel, if that cannot make a write fail.
set local role leads_owner;

create or replace procedure app.notify(channel text) language sql set search_path = pg_catalog, pg_temp
begin atomic
  -- A full queue would end the transaction at its commit. Any login can fill it, and nothing frees
  -- it but a NOTIFY or this question for its usage.
  select pg_notify(notify.channel, '') where pg_notification_queue_usage() < 0.5;
end;

comment on procedure app.notify(text) is
  'Sends NOTIFY without data while the queue of notifications is less than half full. Every program that listens also polls, so '
  'a notification only makes it quicker.';

grant execute on procedure app.notify(text) to leads_jobs, leads_exec, leads_auth;
