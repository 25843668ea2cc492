begin;
select plan(8);

create function test.routed(who text) returns setof text language sql as $$
  select r.digest from admin.routed_credentials(null, 1000) as r where r.organization_id = organization(routed.who)
$$;
create function test.place(state text) returns void language plpgsql as $$
begin
  delete from app.placement;
  insert into app.placement (organization_id, state, cell) values (organization('alice'), place.state, 'west');
end $$;

select act_as('operator');
select admin.create_key(organization('alice'), 'read', sha256('valid'))::text;
select admin.create_key(organization('alice'), 'read', sha256('ends'), null, now() + interval '1 hour')::text;
select admin.revoke_key(admin.create_key(organization('alice'), 'read', sha256('revoked')));
select act_as('dba');
insert into auth.api_key (organization_id, scopes, digest, created_at, expires_at)
values (organization('alice'), '{read}', sha256('expired'), now() - interval '2 days', now() - interval '1 day');

select is(
  (
    select array_agg(d.name order by d.name)
    from (values ('valid'), ('ends'), ('revoked'), ('expired')) as d (name)
    where encode(sha256(d.name::bytea), 'hex') in (select test.routed('alice'))
  ),
  array['ends', 'valid'],
  'keys that are valid'
);
select is((select count(*) from test.routed('alice')), 5::bigint, 'and the three that she had');

select test.place('copying');
select isnt_empty($$select test.routed('alice')$$, 'copying: the cell answers');
select test.place('moving');
select is(
  (select array_agg(distinct r.is_moving) from admin.routed_credentials(null, null, array[organization('alice')]) as r),
  array[true],
  'moving: the cell answers that it moves'
);
select test.place('moved');
select is_empty($$select test.routed('alice')$$, 'moved: another cell answers');
select test.place('arriving');
select is_empty($$select test.routed('alice')$$, 'arriving: another cell still answers');
select isnt_empty($$select test.routed('bob')$$, 'another organization');
select is(admin.organization_of(organization('alice')), null, 'the operator''s commands work in the other cell, too');

select * from finish();
rollback;
