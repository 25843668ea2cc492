begin;
select plan(2);

select make_analyst('ana');
select act_as('ana');
select is(bound_organization(), organization('alice'), 'under its name');

-- As in a cluster that a dump was restored into, where the oid is another role's.
select act_as('dba');
do $$
begin
  execute format('alter role %I rename to somebody', login('ana'));
end
$$;
set local session authorization somebody;
select is(bound_organization(), null, 'under another');

select * from finish();
rollback;
